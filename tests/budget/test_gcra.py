from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.budget.gcra import MINUTE, Time, admits, after, before, given_back, remaining, reset, wait

NOW = 10**12
LONG_AGO: Time = (0, 0)
RATES = st.integers(1, 10**8)


def exact(time: Time, per_minute: int) -> Fraction:
    return time[0] + Fraction(time[1], per_minute)


@pytest.mark.parametrize("rate", [1, 7, 60, 997])
def test_a_minutes_worth_comes_at_once_and_not_one_more(rate: int) -> None:
    arrival = LONG_AGO
    for number in range(rate):
        assert remaining(*arrival, NOW, per_minute=rate) == rate - number
        assert wait(*arrival, NOW, amount=1, per_minute=rate) == 0
        arrival = after(*arrival, NOW, amount=1, per_minute=rate)
    assert arrival == (NOW + MINUTE, 0)
    assert wait(*arrival, NOW, amount=1, per_minute=rate) == -(-MINUTE // rate)
    assert reset(*arrival, NOW) == MINUTE


@pytest.mark.parametrize(("amount", "expected"), [(61, None), (60, 0), (0, 0)])
def test_more_than_a_minutes_worth_never_comes(amount: int, expected: int | None) -> None:
    assert wait(*LONG_AGO, NOW, amount=amount, per_minute=60) == expected


def test_a_rate_of_nothing_admits_nothing_but_nothing() -> None:
    assert wait(*LONG_AGO, NOW, amount=1, per_minute=0) is None
    assert wait(*LONG_AGO, NOW, amount=0, per_minute=0) == 0
    assert remaining(*LONG_AGO, NOW, per_minute=0) == 0


@given(RATES, st.integers(0, 10**8), st.integers(0, 10**8), st.integers(-2 * MINUTE, 2 * MINUTE))
def test_what_is_admitted_need_not_wait(rate: int, before_it: int, amount: int, ago: int) -> None:
    arrival = after(*LONG_AGO, NOW - ago, amount=before_it % (rate + 1), per_minute=rate)
    admitted = admits(*arrival, NOW, amount=amount, per_minute=rate)
    assert admitted == (wait(*arrival, NOW, amount=amount, per_minute=rate) == 0)


@given(RATES, st.integers(0, 10**8), st.integers(1, 10**8), st.integers(0, MINUTE))
def test_what_waits_as_long_as_it_was_told_is_admitted_and_not_sooner(rate: int, before_it: int, amount: int, ago: int) -> None:
    arrival = after(*LONG_AGO, NOW - ago, amount=before_it % (rate + 1), per_minute=rate)
    amount %= rate + 1
    told = wait(*arrival, NOW, amount=amount, per_minute=rate)
    assert told is not None
    assert wait(*arrival, NOW + told, amount=amount, per_minute=rate) == 0
    assert not told or wait(*arrival, NOW + told - 1, amount=amount, per_minute=rate) == 1


def test_a_clock_that_went_back_costs_a_minute_of_waiting_at_most() -> None:
    arrival = after(*LONG_AGO, NOW, amount=60, per_minute=60)
    earlier = NOW - 365 * 86_400_000_000
    assert wait(*arrival, earlier, amount=60, per_minute=60) == MINUTE
    assert reset(*arrival, earlier) == MINUTE
    assert remaining(*arrival, earlier, per_minute=60) == 0


@given(RATES, st.integers(0, 10**8), st.integers(-10, 2 * MINUTE))
def test_what_remains_would_be_admitted_at_once_and_not_one_more(rate: int, amount: int, later: int) -> None:
    arrival = after(*LONG_AGO, NOW, amount=amount % (rate + 1), per_minute=rate)
    now = NOW + max(0, later)
    left = remaining(*arrival, now, per_minute=rate)
    assert 0 <= left <= rate
    assert wait(*arrival, now, amount=left, per_minute=rate) == 0
    assert left == rate or wait(*arrival, now, amount=left + 1, per_minute=rate) != 0
    assert (left == rate) == (reset(*arrival, now) == 0)


@given(RATES, st.integers(0, 10**8), st.integers(0, 10**8))
def test_what_is_given_back_at_once_was_never_taken(rate: int, first: int, amount: int) -> None:
    start = after(*LONG_AGO, NOW, amount=first % (rate + 1), per_minute=rate)
    taken = after(*start, NOW, amount=amount, per_minute=rate)
    back = given_back(taken[0], NOW, amount, per_minute=rate)
    found = before(*taken, back, per_minute=rate)
    assert 0 <= exact(found, rate) - exact(start, rate) < 1


STEPS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 90_000_000)), max_size=40)


@given(st.integers(1, 100), STEPS, st.integers(0, 2**32))
def test_giving_back_never_admits_more_than_the_rate_of_what_was_used(
    rate: int, steps: list[tuple[int, int, int]], seed: int
) -> None:
    """Beside the line of what is taken runs the exact one of what is used: the first is never behind the second."""
    now, arrival, regained = NOW, LONG_AGO, 0
    used_up = Fraction(0)
    held: list[tuple[int, int]] = []
    for amount, most, pause in steps:
        if wait(*arrival, now, amount=amount, per_minute=rate) == 0:
            arrival = after(*arrival, now, amount=amount, per_minute=rate)
            used = min(most, amount)
            used_up = max(used_up, Fraction(now)) + Fraction(used * MINUTE, rate)
            held.append((amount - used, arrival[0] + regained))
        now += pause
        if held and pause % 2:
            unused, mark = held.pop(seed % len(held))
            back = given_back(mark - regained, now, unused, per_minute=rate)
            assert back >= (0, 0)
            arrival = before(*arrival, back, per_minute=rate)
            regained += back[0] + (back[1] > 0)
        assert max(exact(arrival, rate), Fraction(now)) >= max(used_up, Fraction(now))


def test_control_giving_back_all_that_was_unused_would_admit_more() -> None:
    """Tokens that were regained by waiting come back a second time where the place of their taking is not looked at."""
    first = after(*LONG_AGO, NOW, amount=60, per_minute=60)
    later = NOW + 2 * MINUTE
    second = after(*first, later, amount=60, per_minute=60)
    honest = before(*second, given_back(first[0], later, 60, per_minute=60), per_minute=60)
    careless = before(*second, (MINUTE, 0), per_minute=60)
    assert wait(*honest, later, amount=1, per_minute=60) != 0
    assert wait(*careless, later, amount=60, per_minute=60) == 0
