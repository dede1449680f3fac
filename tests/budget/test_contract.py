"""The contract of budgets, on every ledger: limits, nesting, leases and fencing."""

from __future__ import annotations

import asyncio

import pytest

from gateway.budget.contract import MOST, Amount, Ask, Extension, Ledger, Limits, Price, Refusal, Reservation, Settlement
from tests.budget.asking import PENNY, ask, refused, reserved, spend, standing, sums, tell
from tests.budget.places import NOON, Open, Place

WEEK = 7 * 86_400


def test_what_fits_is_reserved_and_settled_at_what_was_used(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        found = await reserved(ledger, Ask("x", ("a",), input=40, output=50, choices=2, price=PENNY))
        assert (found.id, found.output, found.tokens, found.cost) == ("x", 50, 140, 140)
        assert found.at == NOON
        assert await sums(ledger, "a") == (0, 140, 1)
        settlement = await ledger.settle("x", Amount(tokens=60, cost=55))
        assert settlement.ended == "settled"
        assert settlement.charged == Amount(60, 55)
        assert settlement.overrun == Amount()
        after = await standing(ledger, "a")
        assert (after.settled, after.reserved, after.open) == (Amount(60, 55), Amount(), 0)

    tell(place, story, Limits("a", tokens=1_000))


def test_settled_and_reserved_together_never_exceed_the_limit(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await spend(ledger, "1", 60, "a")
        await reserved(ledger, ask("2", 40, "a"))
        refusal = await refused(ledger, ask("3", 1, "a"))
        assert (refusal.budget, refusal.dimension, refusal.fits) == ("a", "tokens", 0)
        await ledger.settle("2", Amount(39, 39))
        await reserved(ledger, ask("3", 1, "a"))
        assert await sums(ledger, "a") == (99, 1, 1)

    tell(place, story, Limits("a", tokens=100))


def test_money_is_limited_by_itself(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        dear = Price(input=2_000_000, output=5_000_000, cached=1_000_000, reasoning=7_000_000)
        found = await reserved(ledger, Ask("1", ("a",), input=10, output=10, price=dear))
        assert found.cost == 10 * 2 + 10 * 7
        refusal = await refused(ledger, Ask("2", ("a",), input=0, output=2, price=dear))
        assert (refusal.dimension, refusal.fits) == ("cost", 1)
        await reserved(ledger, Ask("3", ("a",), input=5, output=0, price=dear))

    tell(place, story, Limits("a", cost=100))


def test_a_fraction_of_a_millionth_is_charged_as_a_whole_one(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        cheap = Price(input=1, output=1, cached=1, reasoning=1)
        assert (await reserved(ledger, Ask("1", ("a",), input=1, output=0, price=cheap))).cost == 1
        await refused(ledger, Ask("2", ("a",), input=1, output=0, price=cheap))

    tell(place, story, Limits("a", cost=1))


def test_all_budgets_admit_or_none_is_touched(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        for number in range(3):
            refusal = await refused(ledger, ask(f"{number}", 60, "wide", "narrow", "rated"))
            assert (refusal.budget, refusal.fits) == ("narrow", 50)
        assert await sums(ledger, "wide") == (0, 0, 0)
        assert await sums(ledger, "narrow") == (0, 0, 0)
        rated = await standing(ledger, "rated")
        assert rated.requests is not None
        assert rated.requests.remaining == 10
        await reserved(ledger, ask("y", 50, "wide", "narrow", "rated"))
        assert await sums(ledger, "wide") == (0, 50, 1)

    tell(place, story, Limits("wide", tokens=1_000), Limits("narrow", tokens=50), Limits("rated", requests_per_minute=10))


def test_an_ask_without_budgets_is_admitted(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        assert (await reserved(ledger, ask("x", 5))).tokens == 5
        assert (await ledger.settle("x", Amount(9, 9))).overrun == Amount(4, 4)

    tell(place, story)


@pytest.mark.parametrize(
    "limits",
    [
        Limits("a", tokens=0),
        Limits("a", cost=0),
        Limits("a", requests_per_minute=0),
        Limits("a", tokens_per_minute=0),
        Limits("a", max_concurrent=0),
    ],
)
def test_a_limit_of_nothing_admits_nothing_ever(place: Open, limits: Limits) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        assert (await refused(ledger, ask("x", 100, "a", shorten=True))).retry_after_ms is None

    tell(place, story, limits)


def test_a_budget_that_nobody_defined_admits_nothing(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        assert await refused(ledger, ask("x", 1, "a", "gone")) == Refusal("gone", "budget", None)
        assert await sums(ledger, "a") == (0, 0, 0)

    tell(place, story, Limits("a", tokens=10))


def test_a_leg_without_a_price_never_passes_a_budget_of_money(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        refusal = await refused(ledger, ask("x", 1, "a", price=None))
        assert (refusal.budget, refusal.dimension, refusal.retry_after_ms) == ("a", "price", None)
        await reserved(ledger, ask("y", 1, "b", price=None))

    tell(place, story, Limits("a", cost=10**9), Limits("b", tokens=10))


# Ends


def test_a_second_settlement_changes_nothing(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await spend(ledger, "x", 10, "a")
        assert await ledger.settle("x", Amount(5, 5)) == Settlement("unknown")
        assert await ledger.release("x") == Settlement("unknown")
        assert await ledger.settle("never", Amount(5, 5)) == Settlement("unknown")
        assert await sums(ledger, "a") == (10, 0, 0)

    tell(place, story, Limits("a", tokens=100))


def test_what_is_released_is_free_again(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await reserved(ledger, ask("x", 100, "a"))
        assert (await ledger.release("x")).charged == Amount()
        await reserved(ledger, ask("y", 100, "a"))

    tell(place, story, Limits("a", tokens=100))


def test_asking_again_with_the_same_id_gives_the_same_reservation(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        first = await reserved(ledger, ask("x", 60, "a"))
        assert await reserved(ledger, ask("x", 60, "a")) == first
        assert await sums(ledger, "a") == (0, 60, 1)

    tell(place, story, Limits("a", tokens=100, max_concurrent=1))


def test_an_overrun_is_entered_in_full_and_the_next_ask_is_refused(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await reserved(ledger, ask("x", 50, "a"))
        settlement = await ledger.settle("x", Amount(130, 40))
        assert settlement.charged == Amount(130, 40)
        assert settlement.overrun == Amount(80, 0)
        assert await sums(ledger, "a") == (130, 0, 0)
        assert (await refused(ledger, ask("y", 1, "a"))).dimension == "tokens"

    tell(place, story, Limits("a", tokens=100))


def test_absurd_amounts_neither_fit_nor_overflow(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        dear = Price(input=MOST - 1, output=MOST - 1, cached=MOST - 1, reasoning=MOST - 1)
        assert (await refused(ledger, Ask("x", ("a",), input=2**31, output=2**31, choices=128, price=dear))).fits == 0
        await reserved(ledger, ask("y", 5, "a"))
        assert (await ledger.settle("y", Amount(2**63, 2**63))).charged == Amount(MOST, MOST)
        assert (await refused(ledger, ask("z", 1, "a"))).budget == "a"

    tell(place, story, Limits("a", tokens=MOST, cost=MOST))


# Leases


def test_a_reservation_whose_lease_is_over_is_charged_in_full(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await reserved(ledger, ask("x", 60, "a", lease_ms=30_000))
        await place.pass_time(29)
        assert await ledger.sweep() == []
        await place.pass_time(2)
        [lapse] = await ledger.sweep()
        assert (lapse.id, lapse.amount) == ("x", Amount(60, 60))
        assert await ledger.sweep() == []
        assert await sums(ledger, "a") == (60, 0, 0)

    tell(place, story, Limits("a", tokens=100))


def test_a_lease_that_is_over_frees_its_place_without_anybody_sweeping(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await reserved(ledger, ask("x", 1, "a", lease_ms=30_000))
        await refused(ledger, ask("y", 1, "a"))
        await place.pass_time(31)
        await reserved(ledger, ask("y", 1, "a"))

    tell(place, story, Limits("a", max_concurrent=1))


@pytest.mark.parametrize("swept", [True, False])
@pytest.mark.parametrize(("used", "charged", "over"), [(20, 20, 0), (60, 60, 0), (90, 60, 30)])
def test_a_late_settlement_only_refunds(place: Open, *, swept: bool, used: int, charged: int, over: int) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await reserved(ledger, ask("x", 60, "a", lease_ms=30_000))
        await place.pass_time(31)
        if swept:
            await ledger.sweep()
        settlement = await ledger.settle("x", Amount(used, used))
        assert settlement.ended == "late"
        assert settlement.charged == Amount(charged, charged)
        assert settlement.overrun == Amount(over, over)
        assert await ledger.settle("x", Amount()) == Settlement("unknown")
        assert await sums(ledger, "a") == (charged, 0, 0)

    tell(place, story, Limits("a", tokens=100))


def test_a_late_release_refunds_everything_once(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await reserved(ledger, ask("x", 60, "a", lease_ms=1_000))
        await place.pass_time(2)
        await ledger.sweep()
        assert (await ledger.release("x")).ended == "late"
        assert (await ledger.release("x")).ended == "unknown"
        assert await sums(ledger, "a") == (0, 0, 0)

    tell(place, story, Limits("a", tokens=100))


# Further attempts


def test_a_further_attempt_is_reserved_at_its_own_price(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        first = await reserved(ledger, ask("x", 30, "a"))
        double = Price(input=2_000_000, output=2_000_000, cached=2_000_000, reasoning=2_000_000)
        more = await ledger.extend(Extension("x", 1, input=5, output=15, price=double))
        assert isinstance(more, Reservation)
        assert (more.output, more.tokens, more.cost, more.at) == (15, 20, 40, first.at)
        assert (await standing(ledger, "a")).reserved == Amount(50, 70)
        await ledger.settle("x", Amount(50, 70))
        assert (await standing(ledger, "a")).settled == Amount(50, 70)

    tell(place, story, Limits("a", tokens=100, cost=100))


def test_an_extension_that_does_not_fit_leaves_the_reservation_as_it_was(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await reserved(ledger, ask("x", 60, "a", "b"))
        found = await ledger.extend(Extension("x", 1, input=0, output=50, price=PENNY))
        assert isinstance(found, Refusal)
        assert (found.budget, found.dimension, found.fits) == ("b", "tokens", 40)
        assert await sums(ledger, "a") == (0, 60, 1)
        assert isinstance(await ledger.extend(Extension("x", 1, input=0, output=40, price=PENNY)), Reservation)
        assert (await ledger.settle("x", Amount(100, 100))).overrun == Amount()

    tell(place, story, Limits("a", tokens=1_000), Limits("b", tokens=100))


def test_the_same_extension_twice_is_reserved_once(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await reserved(ledger, ask("x", 10, "a"))
        once = await ledger.extend(Extension("x", 1, input=0, output=10, price=PENNY))
        assert await ledger.extend(Extension("x", 1, input=0, output=10, price=PENNY)) == once
        assert await sums(ledger, "a") == (0, 20, 1)
        await ledger.extend(Extension("x", 2, input=0, output=10, price=PENNY))
        assert await sums(ledger, "a") == (0, 30, 1)

    tell(place, story, Limits("a", tokens=100))


def test_an_extension_may_be_shortened(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await reserved(ledger, ask("x", 30, "a"))
        more = await ledger.extend(Extension("x", 1, input=0, output=90, price=PENNY, shorten=True))
        assert isinstance(more, Reservation)
        assert more.output == 70

    tell(place, story, Limits("a", tokens=100, min_output_tokens=64))


@pytest.mark.parametrize("how", ["settled", "lapsed", "never made"])
def test_what_has_ended_is_not_extended(place: Open, how: str) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        if how != "never made":
            await reserved(ledger, ask("x", 10, "a", lease_ms=1_000))
        if how == "settled":
            await ledger.settle("x", Amount(10, 10))
        await place.pass_time(2)
        found = await ledger.extend(Extension("x", 1, input=0, output=10, price=PENNY))
        assert isinstance(found, Refusal)
        assert (found.dimension, found.retry_after_ms) == ("reservation", None)
        assert (await sums(ledger, "a"))[1:] == (0, 0)

    tell(place, story, Limits("a", tokens=100))


def test_a_further_attempt_is_no_further_request(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await reserved(ledger, ask("x", 10, "a"))
        assert isinstance(await ledger.extend(Extension("x", 1, input=0, output=10, price=PENNY)), Reservation)

    tell(place, story, Limits("a", requests_per_minute=1, max_concurrent=1))


# Many at once


def test_of_many_at_once_no_more_than_fit_are_admitted(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        async def client(name: int) -> int:
            admitted = 0
            for number in range(10):
                found = await ledger.reserve(ask(f"{name}.{number}", 7, "a", "b"))
                if isinstance(found, Reservation):
                    admitted += 1
                    await asyncio.sleep(0)
                    await ledger.settle(found.id, Amount(7, 7))
            return admitted

        admitted = sum(await asyncio.gather(*(client(name) for name in range(50))))
        assert admitted == 1_000 // 7
        assert await sums(ledger, "a") == (admitted * 7, 0, 0)

    tell(place, story, Limits("a", tokens=1_000), Limits("b", tokens=1_000_000))


def test_no_more_than_so_many_run_at_once(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        for name in "xyz":
            await reserved(ledger, ask(name, 1, "a"))
        refusal = await refused(ledger, ask("w", 1, "a"))
        assert (refusal.dimension, refusal.retry_after_ms) == ("max_concurrent", 1_000)
        await ledger.settle("y", Amount(1, 1))
        await reserved(ledger, ask("w", 1, "a"))
        await ledger.release("x")
        await reserved(ledger, ask("v", 1, "a"))
        await refused(ledger, ask("u", 1, "a"))

    tell(place, story, Limits("a", max_concurrent=3))
