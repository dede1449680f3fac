"""The header `Idempotency-Key`: 1 to 255 printable ASCII characters."""

from __future__ import annotations

import pytest

from gateway.errors import InvalidRequest
from gateway.replay.key import check_key


@pytest.mark.parametrize("key", ["a", "x" * 255, "8e03978e-40d5-43e8-bc93-6894a57f9324", "a b", '!"#$~'])
def test_printable_keys_pass_unchanged(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "a\n", "\x00", "\x7f", "naïve", "\udc80", "\u0661"])
def test_any_other_key_is_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_key(key)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "invalid_field", "Idempotency-Key")
    assert not key.strip() or key not in caught.value.message
