"""Whoever opens a payload can tell apart why it cannot be opened."""

from __future__ import annotations

import pytest

from gateway.audit.vault.errors import PayloadDamaged, PayloadErased, PayloadError, PayloadMissing
from gateway.errors import GatehouseError


@pytest.mark.parametrize("kind", [PayloadMissing, PayloadErased, PayloadDamaged])
def test_each_reason_is_a_kind_of_its_own(kind: type[PayloadError]) -> None:
    others = {PayloadMissing, PayloadErased, PayloadDamaged} - {kind}
    assert issubclass(kind, PayloadError)
    assert issubclass(kind, GatehouseError)
    assert not any(issubclass(kind, other) for other in others)
