"""The rules of what does not simply fit, over all kinds of budgets: the contract's tests tell of single cases."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.budget.contract import Ask, Extension, Limits, Price, Refusal
from gateway.budget.pot import Period, Pot
from gateway.budget.rules import Times, cost_of, fitting, judge, tokens_of

NOW = 1_794_744_030_000_000
TIMES = Times(NOW, NOW)
AMOUNTS = st.none() | st.integers(0, 3_000)


@st.composite
def periods(draw: st.DrawFn) -> list[Period]:
    found = []
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4)):
        limits = Limits(
            name,
            draw(st.sampled_from(["minute", "hour", "day", "month", "total"])),
            tokens=draw(AMOUNTS),
            cost=draw(AMOUNTS),
            requests_per_minute=draw(st.none() | st.integers(0, 3)),
            tokens_per_minute=draw(AMOUNTS),
            max_concurrent=draw(st.none() | st.integers(0, 2)),
            on_exceed=draw(st.sampled_from(["shorten", "shorten", "refuse"])),
            min_output_tokens=draw(st.integers(1, 100)),
        )
        pot = Pot(limits, NOW)
        pot.period.tokens, pot.period.cost = draw(st.integers(0, 1_500)), draw(st.integers(0, 1_500))
        pot.open = draw(st.integers(0, 2))
        pot.take_rates(draw(st.integers(0, 1_000)), NOW, first=draw(st.booleans()))
        found.append(pot.period)
    return found


PRICES = st.none() | st.builds(Price, *[st.integers(0, 3_000_000)] * 4)
ASKS = st.builds(
    Ask,
    st.just("x"),
    st.just(()),
    input=st.integers(0, 500),
    output=st.integers(0, 1_000),
    choices=st.integers(1, 4),
    price=PRICES,
    shorten=st.booleans(),
)


def has_room(ask: Ask, output: int, period: Period) -> bool:
    pot = period.pot
    return tokens_of(ask, output) <= pot.tokens - period.tokens and cost_of(ask, output) <= pot.cost - period.cost


@given(periods(), ASKS)
def test_what_is_admitted_fits_every_budget_and_was_shortened_only_where_it_may(found: list[Period], ask: Ask) -> None:
    output = judge(ask, found, TIMES)
    if isinstance(output, Refusal):
        return
    assert 0 <= output <= ask.output
    assert all(has_room(ask, output, period) for period in found)
    assert all(period.pot.token_wait(tokens_of(ask, output), NOW) == 0 for period in found)
    assert all(period.pot.request_wait(NOW) == 0 and period.pot.open < period.pot.concurrent for period in found)
    if output < ask.output:
        assert ask.shorten
        short = [period for period in found if not has_room(ask, ask.output, period)]
        assert all(period.pot.limits.on_exceed == "shorten" for period in short)
        assert output >= max(period.pot.limits.min_output_tokens for period in short)
        assert not all(has_room(ask, output + 1, period) for period in found)


@given(periods(), ASKS)
def test_what_is_refused_has_an_obstacle_that_is_there(found: list[Period], ask: Ask) -> None:
    refusal = judge(ask, found, TIMES)
    if not isinstance(refusal, Refusal):
        return
    [period] = [period for period in found if period.pot.limits.name == refusal.budget]
    pot = period.pot
    holds = {
        "tokens": tokens_of(ask, ask.output) > pot.tokens - period.tokens,
        "cost": cost_of(ask, ask.output) > pot.cost - period.cost,
        "requests_per_minute": pot.request_wait(NOW) != 0,
        "tokens_per_minute": pot.token_wait(tokens_of(ask, ask.output), NOW) != 0,
        "max_concurrent": pot.open >= pot.concurrent,
        "price": ask.price is None and pot.limits.cost is not None,
    }
    assert holds[refusal.dimension]
    assert refusal.retry_after_ms is None or refusal.retry_after_ms > 0


@given(periods(), ASKS)
def test_what_fits_is_the_most_that_fits(found: list[Period], ask: Ask) -> None:
    output = fitting(ask, found)
    assert output <= ask.output
    if output >= 0:
        assert all(has_room(ask, output, period) for period in found)
    if output < ask.output:
        assert not all(has_room(ask, max(0, output + 1), period) for period in found)


@given(periods(), ASKS)
def test_a_further_attempt_needs_neither_a_place_nor_a_request(found: list[Period], ask: Ask) -> None:
    more = Extension("x", 1, ask.input, ask.output, choices=ask.choices, price=ask.price, shorten=ask.shorten)
    refusal = judge(more, found, TIMES)
    assert not isinstance(refusal, Refusal) or refusal.dimension not in {"max_concurrent", "requests_per_minute"}


def test_the_least_that_would_be_of_use_decides_whether_waiting_helps() -> None:
    pot = Pot(Limits("a", "minute", tokens=100, min_output_tokens=30), NOW)
    pot.period.tokens = 90
    short = Ask("x", ("a",), input=60, output=500, shorten=True)
    assert judge(short, [pot.period], TIMES) == Refusal("a", "tokens", 30_000)
    long = Ask("x", ("a",), input=80, output=500, shorten=True)
    assert judge(long, [pot.period], TIMES) == Refusal("a", "tokens", None)


def test_until_the_next_window_is_told_by_the_clock_even_where_another_window_is_charged() -> None:
    pot = Pot(Limits("a", "minute", tokens=0), NOW - 3_600_000_000)
    assert judge(Ask("x", ("a",), input=0, output=1), [pot.period], TIMES) == Refusal("a", "tokens", None)
    pot = Pot(Limits("a", "minute", tokens=5), NOW - 3_600_000_000)
    pot.period.tokens = 5
    assert judge(Ask("x", ("a",), input=0, output=1), [pot.period], TIMES) == Refusal("a", "tokens", 30_000)
