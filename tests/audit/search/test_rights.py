"""Who may see what of the log."""

from __future__ import annotations

from typing import get_args

import pytest

from gateway.audit.search.rights import View, check_plaintext, view_of
from gateway.errors import Forbidden
from gateway.exchange.caller import Caller, Role

ROLES: tuple[Role, ...] = get_args(Role)


def caller(role: Role, tenant: str = "acme") -> Caller:
    return Caller(tenant=tenant, app=None, key_id="abcdefghij23", role=role)


def test_an_auditor_sees_its_own_tenant_and_its_plaintext() -> None:
    view = view_of(caller("auditor"))
    assert view == View("acme", "abcdefghij23", "auditor")
    assert (view.sees("acme"), view.sees("beta"), view.sees(None), view.sees("")) == (True, False, False, False)
    check_plaintext(view)


def test_an_operator_sees_all_entries_and_no_plaintext() -> None:
    view = view_of(caller("operator"))
    assert (view.sees("acme"), view.sees("beta"), view.sees(None)) == (True, True, True)
    with pytest.raises(Forbidden) as caught:
        check_plaintext(view)
    assert caught.value.code == "role_not_allowed"


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"auditor", "operator"}))
def test_every_other_role_sees_nothing(role: Role) -> None:
    with pytest.raises(Forbidden) as caught:
        view_of(caller(role))
    assert caught.value.code == "role_not_allowed"
