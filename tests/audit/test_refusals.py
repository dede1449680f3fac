from __future__ import annotations

from gateway.audit.canonical import encode
from gateway.audit.clock import Moment
from gateway.audit.entry import Refusal
from gateway.audit.refusals import EACH, MINUTE, MOST_KEYS, Refusals

NOW = Moment(at=5 * MINUTE, mono=9)


def test_equal_refusals_are_one_line_with_their_count_the_most_frequent_first() -> None:
    refusals = Refusals()
    refusals.count("not_found", at=10)
    for at in (30, 20):
        refusals.count("invalid_api_key", at=at)
    refusals.count("role_not_allowed", tenant="acme", key="abc", at=40)
    told = refusals.take(NOW)
    assert told is not None
    assert (told.at, told.mono, told.since, told.until, told.total) == (NOW.at, NOW.mono, 10, 40, 4)
    assert told.refusals == [
        Refusal(code="invalid_api_key", count=2),
        Refusal(code="not_found", count=1),
        Refusal(code="role_not_allowed", tenant="acme", key="abc", count=1),
    ]
    assert refusals.take(NOW) is None


def test_whatever_strangers_send_an_entry_has_at_most_64_lines_and_counts_all() -> None:
    refusals = Refusals()
    for number in range(1000):
        refusals.count("invalid_field", key=f"key-{number}", tenant="acme", at=number)
    told = refusals.take(NOW)
    assert told is not None
    assert len(told.refusals) == 64
    assert told.refusals[0] == Refusal(code="other", count=1000 - 63)
    assert told.total == 1000
    assert encode(told)


def test_what_could_not_be_written_counts_again() -> None:
    refusals = Refusals()
    refusals.count("not_found", at=10)
    first = refusals.take(NOW)
    assert first is not None
    refusals.count("not_found", at=90)
    refusals.put_back(first)
    told = refusals.take(NOW)
    assert told is not None
    assert (told.since, told.until, told.total) == (10, 90, 2)
    refusals.put_back(told)
    assert refusals.take(NOW) == told


def test_the_first_sixty_of_a_key_and_minute_have_entries_of_their_own() -> None:
    refusals = Refusals()
    assert [refusals.folds("model_not_found", key="abc", at=MINUTE + at) for at in range(EACH)] == [False] * EACH
    assert refusals.folds("model_not_found", key="abc", at=MINUTE + EACH)
    assert not refusals.folds("model_not_found", key="other", at=MINUTE + EACH)
    assert not refusals.folds("invalid_field", key="abc", at=MINUTE + EACH)
    assert not refusals.folds("model_not_found", key="abc", at=2 * MINUTE)


def test_keys_beyond_what_is_told_apart_have_no_entries_of_their_own() -> None:
    refusals = Refusals()
    for number in range(MOST_KEYS):
        assert not refusals.folds("invalid_field", key=str(number), at=MINUTE)
    assert refusals.folds("invalid_field", key="one more", at=MINUTE)
    assert not refusals.folds("invalid_field", key="0", at=MINUTE)
