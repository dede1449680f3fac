"""One budget's windows and rates, where the contract's tests do not reach."""

from __future__ import annotations

from gateway.budget.contract import REMEMBERED, Limits
from gateway.budget.pot import UNLIMITED, Pot
from gateway.budget.window import NEVER, bounds

MINUTE = 60_000_000
NOW = 1_794_744_000_000_000


def pot(limits: Limits) -> Pot:
    return Pot(limits, NOW)


def test_what_is_not_limited_is_unlimited() -> None:
    found = pot(Limits("a"))
    assert (found.tokens, found.cost, found.concurrent, found.rated) == (UNLIMITED, UNLIMITED, UNLIMITED, False)


def test_the_present_window_is_found_without_looking() -> None:
    found = pot(Limits("a", "hour"))
    assert found.at(NOW + 59 * MINUTE) is found.period


def test_windows_that_nothing_was_taken_from_are_dropped_without_a_trace() -> None:
    found = pot(Limits("a", "minute"))
    for number in range(5 * REMEMBERED):
        found.at(NOW + number * MINUTE)
    assert len(found.periods) == REMEMBERED
    assert found.forgotten == []


def test_memory_does_not_grow_with_windows() -> None:
    found = pot(Limits("a", "minute"))
    for number in range(1_000):
        found.at(NOW + number * MINUTE * 3).tokens += 1
    assert len(found.periods) == REMEMBERED
    assert len(found.forgotten) <= 4


def test_the_last_used_windows_are_remembered_in_the_order_of_use() -> None:
    found = pot(Limits("a", "minute"))
    first = found.at(NOW)
    first.tokens = 7
    for number in range(1, REMEMBERED):
        found.at(NOW + number * MINUTE).tokens = 1
    assert found.at(NOW) is first
    found.at(NOW + REMEMBERED * MINUTE)
    assert found.at(NOW) is first


def test_another_kind_of_window_keeps_used_ones_closed() -> None:
    found = pot(Limits("a", "day"))
    found.at(NOW).tokens = 5
    found.at(NOW + 24 * 60 * MINUTE).tokens = 6
    now = NOW + 24 * 60 * MINUTE
    moved = found.limit(Limits("a", "hour"), now)
    assert list(moved.values()) == [found.period]
    assert found.period.tokens == 6
    assert found.at(NOW) is found.period
    assert found.at(now - 60 * MINUTE).begins == bounds("hour", now)[0]
    assert found.at(now + 60 * MINUTE).tokens == 0


def test_a_total_that_becomes_a_month_carries_all_of_it() -> None:
    found = pot(Limits("a", "total"))
    found.period.cost = 9
    found.limit(Limits("a", "month"), NOW)
    assert found.period.cost == 9
    assert found.forgotten == [(-NEVER, bounds("month", NOW)[0])]


def test_the_same_kind_of_window_moves_nothing() -> None:
    found = pot(Limits("a", "day", tokens=5))
    period = found.period
    assert found.limit(Limits("a", "day", tokens=6), NOW) == {}
    assert found.period is period
    assert found.tokens == 6


def test_tokens_that_are_given_back_where_no_rate_is_left_change_nothing() -> None:
    found = pot(Limits("a", tokens_per_minute=60))
    mark = found.take_rates(30, NOW, first=True)
    found.limit(Limits("a"), NOW)
    found.regain(30, mark, NOW)
    assert found.token_arrival == NOW + 30_000_000


def test_an_overrun_is_owed_for_a_minute_at_most() -> None:
    found = pot(Limits("a", tokens_per_minute=60))
    mark = found.take_rates(30, NOW, first=True)
    found.regain(-(10**15), mark, NOW)
    assert found.token_arrival == NOW + MINUTE
