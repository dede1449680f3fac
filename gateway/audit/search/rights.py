"""Who may see what of the log. Pure.

    auditor            exchanges and entries of its own tenant; their plaintext, with a reason that is entered first
    operator           entries of all tenants, no plaintext
    any other role     nothing

An exchange of another tenant is as unknown as one that never was.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Forbidden
from gateway.exchange.caller import Caller, Role


@dataclass(frozen=True, slots=True)
class View:
    """What someone sees: `tenant`'s entries, or those of all tenants where it is None. `by` is who looks, in `role`."""

    tenant: str | None
    by: str
    role: Role

    def sees(self, tenant: str | None) -> bool:
        """Tell whether an entry is seen; one that belongs to no single tenant only by those who see all."""
        return self.tenant is None or (tenant is not None and tenant == self.tenant)


def view_of(caller: Caller) -> View:
    """Return what a caller sees; raises `Forbidden` where that is nothing."""
    if caller.role == "auditor":
        return View(caller.tenant, caller.key_id, caller.role)
    if caller.role == "operator":
        return View(None, caller.key_id, caller.role)
    raise Forbidden("Only auditors and operators may read the log.", code="role_not_allowed")


def check_plaintext(view: View) -> None:
    """Raise `Forbidden` unless the plaintext of what is seen may be read too."""
    if view.role != "auditor":
        raise Forbidden("Only auditors may read the plaintext of an exchange.", code="role_not_allowed")
