"""Why a payload cannot be opened.

    GatehouseError
    └── PayloadError
        ├── PayloadMissing    it is not where its entry says
        ├── PayloadErased     it is there, and its key is not: nobody can read it any more
        └── PayloadDamaged    it, its key or what they are bound to was changed

A message names the place, never a part of the payload or a key.
"""

from __future__ import annotations

from gateway.errors import GatehouseError


class PayloadError(GatehouseError):
    """A payload cannot be opened."""


class PayloadMissing(PayloadError):
    """The payload is not where its entry says."""


class PayloadErased(PayloadError):
    """The payload is there, its key is not."""


class PayloadDamaged(PayloadError):
    """The payload, its key or what they are bound to was changed."""
