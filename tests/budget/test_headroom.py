from __future__ import annotations

from gateway.budget import headroom
from gateway.budget.contract import Headroom, Limits
from gateway.budget.pot import Period, Pot

NOW = 1_794_744_000_000_000
MINUTE = 60_000_000


def period(limits: Limits, *, tokens: int = 0, requests: int = 0, rate: int = 0) -> Period:
    pot = Pot(limits, NOW)
    pot.period.tokens = tokens
    for _ in range(requests):
        pot.take_rates(0, NOW, first=True)
    pot.take_rates(rate, NOW, first=False)
    return pot.period


def test_budgets_without_such_limits_tell_nothing() -> None:
    free = [period(Limits("a", cost=5))]
    assert headroom.requests(free, NOW) is None
    assert headroom.tokens(free, NOW, NOW) is None
    assert headroom.tokens([], NOW, NOW) is None


def test_the_budget_with_the_least_left_is_told() -> None:
    wide = period(Limits("a", requests_per_minute=600, tokens_per_minute=500), requests=2, rate=100)
    narrow = period(Limits("b", requests_per_minute=60, tokens_per_minute=300), requests=3, rate=10)
    assert headroom.requests([wide, narrow], NOW) == headroom.requests([narrow, wide], NOW) == Headroom(60, 57, 3_000)
    assert headroom.token_rate([wide, narrow], NOW) == headroom.token_rate([narrow, wide], NOW) == Headroom(300, 290, 2_000)


def test_tokens_are_those_of_the_rate_or_of_the_window_whichever_are_fewer() -> None:
    rate, window = Limits("a", tokens_per_minute=100), Limits("b", "hour", tokens=100)
    both = [period(rate, rate=20), period(window, tokens=30)]
    assert headroom.tokens(both, NOW, NOW) == Headroom(100, 70, 3_600_000)
    both = [period(rate, rate=40), period(window, tokens=30)]
    assert headroom.tokens(both, NOW, NOW) == Headroom(100, 60, 24_000)


def test_of_two_windows_the_fuller_one_is_told() -> None:
    windows = [period(Limits("a", "hour", tokens=100), tokens=10), period(Limits("b", tokens=200), tokens=190)]
    assert headroom.tokens(windows, NOW, NOW) == Headroom(200, 10, None)


def test_what_is_over_its_limit_has_nothing_left() -> None:
    assert headroom.tokens([period(Limits("a", "minute", tokens=100), tokens=130)], NOW, NOW) == Headroom(100, 0, 60_000)


def test_a_window_that_the_clock_has_left_is_over_now() -> None:
    found = headroom.tokens([period(Limits("a", "minute", tokens=100))], NOW + 2 * MINUTE, NOW)
    assert found == Headroom(100, 100, 0)
