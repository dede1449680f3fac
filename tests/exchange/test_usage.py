from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from gateway.exchange.usage import Usage


def test_usage_is_the_upstreams_word_unless_said_otherwise() -> None:
    assert Usage(3, 4) == Usage(input=3, output=4, cached=0, reasoning=0, source="upstream")


def test_usage_does_not_change_once_counted() -> None:
    usage = Usage(3, 4)
    with pytest.raises(FrozenInstanceError):
        usage.output = 5  # type: ignore[misc]
