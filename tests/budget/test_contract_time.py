"""The contract of budgets, on every ledger: windows, clocks that jump, rates, and what a caller is told of them."""

from __future__ import annotations

import pytest

from gateway.budget.contract import REMEMBERED, Amount, Headroom, Ledger, Limits, Refusal
from gateway.settings.tree import BudgetWindow
from tests.budget.asking import ask, refused, reserved, spend, standing, sums, tell
from tests.budget.places import NOON, Open, Place

MINUTE, HOUR, DAY = 60, 3_600, 86_400
YEAR = 365 * DAY
NEXT: dict[BudgetWindow, int] = {
    "minute": 30,
    "hour": 59 * MINUTE + 30,
    "day": 12 * HOUR - 30,
    "month": 15 * DAY + 12 * HOUR - 30,
}
"""Seconds from NOON to the next window: it is 2026-11-15T12:00:30Z."""


# Windows


@pytest.mark.parametrize(("window", "seconds"), NEXT.items())
def test_a_full_window_is_refused_until_the_next_one_begins(place: Open, window: BudgetWindow, seconds: int) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await spend(ledger, "1", 100, "a")
        assert await refused(ledger, ask("2", 1, "a")) == Refusal("a", "tokens", seconds * 1_000)
        await place.pass_time(seconds - 1)
        assert (await refused(ledger, ask("2", 1, "a"))).retry_after_ms == 1_000
        await place.pass_time(1)
        await spend(ledger, "2", 100, "a")
        assert (await standing(ledger, "a")).begins == NOON + seconds * 1_000_000

    tell(place, story, Limits("a", window, tokens=100))


def test_a_total_window_never_begins_anew(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await spend(ledger, "1", 100, "a")
        await place.pass_time(3 * YEAR)
        assert await refused(ledger, ask("2", 1, "a")) == Refusal("a", "tokens", None)
        assert (await standing(ledger, "a")).ends is None

    tell(place, story, Limits("a", "total", tokens=100))


def test_waiting_does_not_help_where_even_an_empty_window_has_no_room(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await spend(ledger, "1", 90, "a")
        assert await refused(ledger, ask("2", 101, "a")) == Refusal("a", "tokens", None, fits=10)
        assert (await refused(ledger, ask("3", 100, "a"))).retry_after_ms == 30_000
        assert (await refused(ledger, ask("4", 101, "a", shorten=True))).retry_after_ms == 30_000

    tell(place, story, Limits("a", "minute", tokens=100))


def test_an_exchange_is_charged_to_the_window_in_which_it_was_reserved(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await reserved(ledger, ask("old", 100, "a"))
        await place.pass_time(60)
        await reserved(ledger, ask("new", 100, "a"))
        await ledger.settle("old", Amount(90, 90))
        assert await sums(ledger, "a") == (0, 100, 1)
        await ledger.settle("new", Amount(80, 80))
        assert await sums(ledger, "a") == (80, 0, 0)

    tell(place, story, Limits("a", "minute", tokens=100))


# Clocks that jump


@pytest.mark.parametrize("window", ["minute", "hour", "day", "month", "total"])
@pytest.mark.parametrize("there", [YEAR, -YEAR, 2 * HOUR, -2 * HOUR])
def test_a_clock_that_jumps_away_and_back_finds_its_sums_again(place: Open, window: BudgetWindow, there: int) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await spend(ledger, "here", 60, "a")
        await place.jump(there)
        beyond = 100 - (await sums(ledger, "a"))[0]
        await spend(ledger, "there", beyond, "a")
        await refused(ledger, ask("no", 1, "a"))
        for _ in range(2):
            await place.jump(-there)
            left = 100 - (await sums(ledger, "a"))[0]
            assert left <= 40
            await reserved(ledger, ask("open", left, "a")) if left else None
            await refused(ledger, ask("no", 1, "a"))
            await ledger.release("open")
            await place.jump(there)
            await refused(ledger, ask("no", 1, "a"))

    tell(place, story, Limits("a", window, tokens=100))


@pytest.mark.parametrize("there", [YEAR, -YEAR])
def test_a_clock_that_jumps_loses_no_reservation(place: Open, there: int) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await reserved(ledger, ask("x", 60, "a", lease_ms=10**12))
        await place.jump(there)
        await reserved(ledger, ask("y", 100, "a", lease_ms=10**12))
        await place.jump(-there)
        assert (await refused(ledger, ask("no", 41, "a"))).fits == 40
        await ledger.settle("x", Amount(10, 10))
        await ledger.settle("y", Amount(100, 100))
        assert await sums(ledger, "a") == (10, 0, 0)
        await place.jump(there)
        assert await sums(ledger, "a") == (100, 0, 0)

    tell(place, story, Limits("a", "hour", tokens=100))


def test_a_used_window_is_never_opened_a_second_time_from_zero(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        for number in range(3 * REMEMBERED):
            await spend(ledger, f"{number}", 100, "a")
            await place.pass_time(60)
        for number in range(3 * REMEMBERED):
            await place.jump(-60)
            await refused(ledger, ask(f"again {number}", 1, "a"))

    tell(place, story, Limits("a", "minute", tokens=100))


def test_what_is_asked_in_a_forgotten_window_is_charged_to_the_last_used_one(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        for number in range(200):
            await spend(ledger, f"{number}", 60, "a")
            await place.pass_time(60)
        await spend(ledger, "last", 60, "a")
        await place.jump(-190 * 60)
        refusal = await ledger.reserve(ask("no", 101, "a"))
        assert isinstance(refusal, Refusal)
        assert refusal.fits <= 40
        await place.jump(191 * 60)
        await spend(ledger, "fresh", 100, "a")

    tell(place, story, Limits("a", "minute", tokens=100))


def test_a_clock_that_was_a_year_ahead_for_long_leaves_no_trace_on_the_present(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await place.jump(YEAR)
        for number in range(3 * REMEMBERED):
            await spend(ledger, f"ahead {number}", 100, "a")
            await place.pass_time(60)
        await place.jump(-YEAR)
        for number in range(3 * REMEMBERED):
            await spend(ledger, f"now {number}", 100, "a")
            await place.pass_time(60)

    tell(place, story, Limits("a", "minute", tokens=100))


# Rates


def test_a_minutes_worth_of_requests_may_come_at_once_and_then_evenly(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        for number in range(6):
            await spend(ledger, f"{number}", 1, "a")
        assert await refused(ledger, ask("7", 1, "a")) == Refusal("a", "requests_per_minute", 10_000, fits=1)
        await place.pass_time(9)
        assert (await refused(ledger, ask("7", 1, "a"))).retry_after_ms == 1_000
        await place.pass_time(1)
        await spend(ledger, "7", 1, "a")
        await refused(ledger, ask("8", 1, "a"))
        await place.pass_time(600)
        for number in range(6):
            await spend(ledger, f"later {number}", 1, "a")
        await refused(ledger, ask("9", 1, "a"))

    tell(place, story, Limits("a", requests_per_minute=6))


@pytest.mark.parametrize("rate", [1, 7, 11, 997])
def test_rates_that_do_not_divide_a_minute_admit_all_of_it_at_once(place: Open, rate: int) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        for minute in range(2):
            for number in range(rate):
                await reserved(ledger, ask(f"{minute} {number}", 1, "requests", "tokens"))
            assert (await refused(ledger, ask("one more", 1, "requests"))).retry_after_ms == -(-60_000 // rate)
            assert (await refused(ledger, ask("one more", 1, "tokens"))).retry_after_ms == -(-60_000 // rate)
            await place.pass_time(60)

    tell(place, story, Limits("requests", requests_per_minute=rate), Limits("tokens", tokens_per_minute=rate))


def test_a_part_of_a_minute_that_divides_nothing_comes_back_whole(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        for number in range(20):
            await reserved(ledger, ask(f"{number}", 7, "a"))
            await ledger.release(f"{number}")
        await reserved(ledger, ask("all", 7, "a"))

    tell(place, story, Limits("a", tokens_per_minute=7))


def test_a_request_that_was_refused_or_released(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        for number in range(5):
            await refused(ledger, ask(f"{number}", 101, "a"))
        await reserved(ledger, ask("x", 100, "a"))
        await ledger.release("x")
        await reserved(ledger, ask("y", 100, "a"))
        assert (await refused(ledger, ask("z", 0, "a"))).dimension == "requests_per_minute"

    tell(place, story, Limits("a", tokens=100, requests_per_minute=2))


def test_tokens_of_the_minute_count_as_reserved_and_come_back_where_unused(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await reserved(ledger, ask("1", 60, "a"))
        assert (await refused(ledger, ask("2", 60, "a"))).retry_after_ms == 12_000
        await ledger.settle("1", Amount(40, 40))
        await reserved(ledger, ask("2", 60, "a"))
        await ledger.release("2")
        await reserved(ledger, ask("3", 60, "a"))

    tell(place, story, Limits("a", tokens_per_minute=100))


def test_what_was_regained_is_not_given_back_once_more(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await reserved(ledger, ask("1", 60, "a"))
        await place.pass_time(60)
        await reserved(ledger, ask("2", 60, "a"))
        await ledger.release("1")
        assert (await refused(ledger, ask("3", 60, "a"))).retry_after_ms == 60_000

    tell(place, story, Limits("a", tokens_per_minute=60))


def test_an_overrun_of_the_minute_makes_the_next_one_wait(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await reserved(ledger, ask("1", 10, "a"))
        await ledger.settle("1", Amount(10_000, 0))
        assert (await refused(ledger, ask("2", 60, "a"))).retry_after_ms == 60_000
        await place.pass_time(60)
        await reserved(ledger, ask("2", 60, "a"))

    tell(place, story, Limits("a", tokens_per_minute=60))


def test_more_tokens_than_a_minute_has_are_refused_for_good(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        assert await refused(ledger, ask("1", 61, "a")) == Refusal("a", "tokens_per_minute", None, fits=61)

    tell(place, story, Limits("a", tokens_per_minute=60))


def test_a_rate_is_what_it_says_over_a_long_time(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        admitted = 0
        for number in range(1_200):
            found = await ledger.reserve(ask(f"{number}", 100, "a"))
            admitted += not isinstance(found, Refusal)
            await place.pass_time(0.5)
        assert 70 + 698 <= admitted <= 70 + 700

    tell(place, story, Limits("a", tokens_per_minute=7_000))


# What a caller is told


def test_the_obstacle_that_lasts_longest_is_told(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await reserved(ledger, ask("1", 50, "minute", "hour", "rated"))
        assert await refused(ledger, ask("2", 60, "rated", "minute", "hour")) == Refusal("hour", "tokens", 3_570_000, fits=50)
        assert await refused(ledger, ask("2", 60, "rated", "minute")) == Refusal("rated", "requests_per_minute", 60_000, fits=50)
        assert (await refused(ledger, ask("2", 1_000, "rated", "minute", "hour"))).budget == "minute"

    tell(
        place,
        story,
        Limits("minute", "minute", tokens=100),
        Limits("hour", "hour", tokens=100),
        Limits("rated", requests_per_minute=1),
    )


def test_headroom_is_told_of_the_shown_budgets_after_the_reservation(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        first = await reserved(ledger, ask("1", 100, "a", "b", "hidden", shown=2))
        assert first.requests == Headroom(10, 9, 6_000)
        assert first.tokens_left == Headroom(500, 400, 3_570_000)
        second = await reserved(ledger, ask("2", 300, "a", "b", "hidden", shown=2))
        assert second.requests == Headroom(10, 8, 12_000)
        assert second.tokens_left == Headroom(500, 100, 3_570_000)
        await place.pass_time(6)
        third = await reserved(ledger, ask("3", 0, "a", shown=1))
        assert third.requests == Headroom(10, 8, 12_000)
        assert third.tokens_left == Headroom(600, 260, 34_000)
        none = await reserved(ledger, ask("4", 0, "hidden", shown=0))
        assert (none.requests, none.tokens_left) == (None, None)

    tell(
        place,
        story,
        Limits("a", requests_per_minute=10, tokens_per_minute=600),
        Limits("b", "hour", tokens=500),
        Limits("hidden", tokens=10**6, requests_per_minute=100),
    )


def test_headroom_of_a_total_budget_never_comes_back(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        found = await reserved(ledger, ask("1", 40, "a", shown=1))
        assert (found.requests, found.tokens_left) == (None, Headroom(100, 60, None))

    tell(place, story, Limits("a", tokens=100))


def test_standings_tell_every_budget_in_the_order_of_the_limits(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await spend(ledger, "1", 30, "b", "a")
        await reserved(ledger, ask("2", 20, "b"))
        found = await ledger.standings()
        assert [each.limits.name for each in found] == ["b", "a"]
        assert (found[0].settled, found[0].reserved, found[0].open) == (Amount(30, 30), Amount(20, 20), 1)
        assert found[0].requests == Headroom(60, 58, 2_000)
        assert found[0].tokens is None
        assert (found[1].begins, found[1].ends) == (NOON - 30_000_000, NOON + 30_000_000)
        assert [each.limits.name for each in await ledger.standings({"a", "no such"})] == ["a"]

    tell(place, story, Limits("b", tokens=100, requests_per_minute=60), Limits("a", "minute", cost=100))
