from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from gateway.exchange.caller import Caller


def test_a_caller_does_not_change_once_known() -> None:
    caller = Caller("acme", "billing", "gth_abc", "app")
    with pytest.raises(FrozenInstanceError):
        caller.tenant = "other"  # type: ignore[misc]


def test_callers_of_different_tenants_are_different() -> None:
    assert Caller("acme", None, "gth_abc", "app") != Caller("umbrella", None, "gth_abc", "app")
