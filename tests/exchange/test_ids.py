from __future__ import annotations

import time
import uuid

from gateway.exchange.ids import new_id


def test_an_id_is_a_uuid_of_version_7_in_canonical_form() -> None:
    for _ in range(1000):
        text = new_id()
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


def test_an_id_begins_with_the_unix_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id()).int >> 80
    assert before <= made <= time.time_ns() // 1_000_000


def test_every_random_bit_takes_both_values() -> None:
    ones, zeros = 0, 0
    random_bits = (1 << 76) - 1 & ~(0xF << 76) & ~(0x3 << 62)
    for _ in range(200):
        bits = uuid.UUID(new_id()).int
        ones |= bits
        zeros |= ~bits
    assert ones & random_bits == random_bits
    assert zeros & random_bits == random_bits


def test_ids_made_at_once_differ() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000
