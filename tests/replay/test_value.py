"""What stands under a key's name: round trips, bounds, and what msgpack cannot say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.replay import value
from gateway.replay.contract import Recording

FINGERPRINT = bytes(range(32))
TOKEN = bytes(range(16))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.text(), json_values, max_size=3)


@given(st.lists(st.lists(bodies, max_size=3), max_size=3), st.dictionaries(st.text(), st.text(), max_size=2))
def test_what_is_kept_is_read_back(batches: list[list[dict[str, Any]]], facts: dict[str, str]) -> None:
    recording = Recording(batches, facts)
    kept = value.kept(FINGERPRINT, recording, max_bytes=1_000_000)
    assert kept is not None
    assert value.recording_of(kept) == recording
    assert value.fingerprint_of(kept) == FINGERPRINT
    assert kept.startswith(value.KEPT)


def test_the_bound_is_exact() -> None:
    recording = Recording([[{"a": "x" * 100}]], {"route": "r"})
    size = len(value.kept(FINGERPRINT, recording, max_bytes=1_000) or b"")
    assert value.kept(FINGERPRINT, recording, max_bytes=size) is not None
    assert value.kept(FINGERPRINT, recording, max_bytes=size - 1) is None


def test_a_large_answer_costs_no_more_than_its_limit() -> None:
    class Watched(list[list[dict[str, Any]]]):
        """Counts how many batches are looked at."""

        seen = 0

        def __iter__(self) -> Any:
            for batch in super().__iter__():
                self.seen += 1
                yield batch

    batches = Watched([[{"a": "x" * 1000}]] * 1000)
    assert value.kept(FINGERPRINT, Recording(batches), max_bytes=10_000) is None
    assert batches.seen == 10


def test_an_integer_beyond_64_bits_is_not_kept() -> None:
    assert value.kept(FINGERPRINT, Recording([[{"n": 2**64}]]), max_bytes=1000) is None


def test_every_state_tells_its_fingerprint() -> None:
    kept = value.kept(FINGERPRINT, Recording([]), max_bytes=1000) or b""
    states = [value.running(TOKEN, FINGERPRINT), kept, value.spent(FINGERPRINT), value.without_recording(kept)]
    assert [value.fingerprint_of(state) for state in states] == [FINGERPRINT] * 4
    assert [state[:1] for state in states] == [b"R", b"K", b"S", b"S"]


def test_a_running_value_begins_with_its_owner_and_no_other() -> None:
    running = value.running(TOKEN, FINGERPRINT)
    assert running.startswith(value.owner(TOKEN))
    assert not running.startswith(value.owner(bytes(16)))
