"""The contract of budgets, on every ledger: limits that change while it runs, and sums that come from a snapshot."""

from __future__ import annotations

from gateway.budget.contract import Amount, Ledger, Limits
from gateway.budget.snapshot import BudgetCount, Held, PeriodCount, Snapshot
from tests.budget.asking import ask, refused, reserved, spend, standing, sums, tell
from tests.budget.places import NOON, Open, Place

DAY = 86_400
MINUTE_OF_NOON = NOON - 30_000_000


def test_a_limit_that_is_lowered_counts_what_was_spent_before(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await spend(ledger, "1", 60, "a")
        await reserved(ledger, ask("2", 30, "a"))
        ledger.limit([Limits("a", tokens=50)])
        assert (await refused(ledger, ask("3", 1, "a"))).fits == 0
        await ledger.settle("2", Amount(30, 30))
        assert await sums(ledger, "a") == (90, 0, 0)
        ledger.limit([Limits("a", tokens=100)])
        await reserved(ledger, ask("3", 10, "a"))
        await refused(ledger, ask("4", 1, "a"))

    tell(place, story, Limits("a", tokens=100))


def test_a_limit_that_is_added_counts_what_was_spent_before(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await spend(ledger, "1", 60, "a")
        ledger.limit([Limits("a", tokens=100, cost=70)])
        assert (await refused(ledger, ask("2", 11, "a"))).dimension == "cost"
        await spend(ledger, "2", 10, "a")
        ledger.limit([Limits("a")])
        await spend(ledger, "3", 1_000, "a")
        ledger.limit([Limits("a", cost=1_070)])
        await refused(ledger, ask("4", 1, "a"))

    tell(place, story, Limits("a", tokens=100))


def test_a_budget_that_is_taken_out_and_put_in_again_keeps_its_sums(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await spend(ledger, "1", 60, "a")
        await reserved(ledger, ask("2", 30, "a"))
        ledger.limit([Limits("b", tokens=5)])
        assert (await refused(ledger, ask("3", 1, "a"))).dimension == "budget"
        assert [each.limits.name for each in await ledger.standings()] == ["b"]
        await ledger.settle("2", Amount(20, 20))
        ledger.limit([Limits("a", tokens=100)])
        assert await sums(ledger, "a") == (80, 0, 0)

    tell(place, story, Limits("a", tokens=100))


def test_a_rate_that_changes_keeps_what_it_admitted(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await spend(ledger, "1", 1, "a")
        await spend(ledger, "2", 1, "a")
        ledger.limit([Limits("a", requests_per_minute=1)])
        assert (await refused(ledger, ask("3", 1, "a"))).retry_after_ms == 60_000

    tell(place, story, Limits("a", requests_per_minute=2))


def test_fewer_at_once_waits_until_enough_have_ended(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        for name in "xyz":
            await reserved(ledger, ask(name, 1, "a"))
        ledger.limit([Limits("a", max_concurrent=2)])
        await ledger.settle("x", Amount(1, 1))
        await refused(ledger, ask("w", 1, "a"))
        await ledger.settle("y", Amount(1, 1))
        await reserved(ledger, ask("w", 1, "a"))

    tell(place, story, Limits("a", max_concurrent=3))


def test_another_kind_of_window_begins_with_the_remembered_ones_that_it_overlaps(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await spend(ledger, "yesterday", 10, "a")
        await place.pass_time(DAY)
        await spend(ledger, "today", 20, "a")
        await reserved(ledger, ask("open", 30, "a", lease_ms=10**9))
        ledger.limit([Limits("a", "month", tokens=100)])
        assert await sums(ledger, "a") == (30, 30, 1)
        await ledger.settle("open", Amount(25, 25))
        assert await sums(ledger, "a") == (55, 0, 0)
        ledger.limit([Limits("a", "minute", tokens=100)])
        assert await sums(ledger, "a") == (55, 0, 0)
        await place.pass_time(60)
        assert await sums(ledger, "a") == (0, 0, 0)

    tell(place, story, Limits("a", "day", tokens=100))


def test_a_reservation_of_a_window_that_is_gone_does_not_refund_the_new_kind(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        await reserved(ledger, ask("old", 60, "a", lease_ms=10**9))
        await place.pass_time(60)
        await spend(ledger, "1", 10, "a")
        ledger.limit([Limits("a", "minute", tokens=100), Limits("b")])
        ledger.limit([Limits("a", "total", tokens=100)])
        before = await sums(ledger, "a")
        await ledger.release("old")
        after = await sums(ledger, "a")
        assert (before[0], after[0], after[1]) == (10, 10, 0)

    tell(place, story, Limits("a", "minute", tokens=100))


# Snapshots


def test_sums_come_back_from_a_snapshot(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        counts = [
            BudgetCount(
                "a", "minute", [PeriodCount(MINUTE_OF_NOON - 60_000_000, 100, 0), PeriodCount(MINUTE_OF_NOON, 60, 5)], []
            ),
            BudgetCount("unlimited now", "day", [PeriodCount(NOON - NOON % (DAY * 1_000_000), 7, 7)], []),
        ]
        await spend(ledger, "before", 90, "a")
        await ledger.restore(Snapshot(seq=12, budgets=counts))
        assert (await standing(ledger, "a")).settled == Amount(60, 5)
        await reserved(ledger, ask("1", 40, "a"))
        await refused(ledger, ask("2", 1, "a"))
        await place.jump(-60)
        await refused(ledger, ask("2", 1, "a"))
        ledger.limit([Limits("unlimited now", "day", tokens=7)])
        await refused(ledger, ask("2", 1, "unlimited now"))

    tell(place, story, Limits("a", "minute", tokens=100))


def test_what_a_snapshot_holds_is_charged_in_full_and_may_still_be_refunded(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        counts = [BudgetCount("a", "minute", [PeriodCount(MINUTE_OF_NOON, 10, 10)], [])]
        held = [Held("x", NOON - 1_000_000, ("a", "gone"), 50, 40), Held("y", NOON - 2_000_000, ("a",), 30, 30)]
        await ledger.restore(Snapshot(seq=3, budgets=counts, held=held))
        found = await standing(ledger, "a")
        assert (found.settled, found.reserved, found.open) == (Amount(90, 80), Amount(), 0)
        late = await ledger.settle("x", Amount(20, 70))
        assert (late.ended, late.charged, late.overrun) == ("late", Amount(20, 40), Amount(0, 30))
        assert (await ledger.release("y")).ended == "late"
        assert (await standing(ledger, "a")).settled == Amount(30, 50)

    tell(place, story, Limits("a", "minute", tokens=100))


def test_a_snapshots_forgotten_windows_stay_closed(place: Open) -> None:
    async def story(ledger: Ledger, place: Place) -> None:
        first = MINUTE_OF_NOON - 3_600_000_000
        counts = [BudgetCount("a", "minute", [PeriodCount(MINUTE_OF_NOON, 100, 0)], [(first, MINUTE_OF_NOON - 60_000_000)])]
        await ledger.restore(Snapshot(budgets=counts))
        await place.jump(-1_800)
        await refused(ledger, ask("1", 1, "a"))
        await place.jump(-3_600)
        await reserved(ledger, ask("1", 1, "a"))

    tell(place, story, Limits("a", "minute", tokens=100))


def test_another_kind_of_window_than_the_snapshots_is_filled_from_it(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        counts = [BudgetCount("a", "minute", [PeriodCount(MINUTE_OF_NOON, 60, 0)], [])]
        await ledger.restore(Snapshot(budgets=counts))
        assert await sums(ledger, "a") == (60, 0, 0)

    tell(place, story, Limits("a", "month", tokens=100))
