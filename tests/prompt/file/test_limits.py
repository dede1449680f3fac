from __future__ import annotations

from gateway.prompt.file.limits import LIMITS


def test_a_front_matter_fits_a_file_and_a_file_can_be_read_whole() -> None:
    assert LIMITS.front_bytes == 65_536
    assert LIMITS.front_bytes < LIMITS.file_bytes
    assert LIMITS.body_chars <= LIMITS.file_bytes  # so that a fragment included again and again is what the cap is for


def test_aliases_cannot_make_more_than_a_front_matter_may_hold() -> None:
    assert LIMITS.aliases < LIMITS.front_values
