"""The ledger in memory, where the contract's tests do not reach: what it costs, and what its snapshots hold."""

from __future__ import annotations

import asyncio
import tracemalloc

from gateway.budget.contract import Amount, Ask, Extension, Limits, Refusal, Reservation
from gateway.budget.memory import MemoryLedger
from gateway.budget.snapshot import BudgetCount, Held, PeriodCount, Snapshot
from tests.budget.asking import PENNY, ask, refused, reserved, spend, sums
from tests.budget.places import NOON, Clocks

NOON_MINUTE = NOON - 30_000_000


def test_by_default_it_lives_by_the_machines_clocks() -> None:
    async def story() -> None:
        ledger = MemoryLedger([Limits("a", "day", tokens=5)])
        found = await reserved(ledger, ask("x", 5, "a"))
        assert found.at > NOON - 10**15
        await refused(ledger, ask("y", 1, "a"))

    asyncio.run(story())


def test_changes_are_counted_one_by_one() -> None:
    async def story() -> None:
        ledger = MemoryLedger([Limits("a")])
        assert (await reserved(ledger, ask("x", 1, "a"))).seq == 1
        more = await ledger.extend(Extension("x", 1, 0, 1, price=PENNY))
        assert isinstance(more, Reservation)
        assert more.seq == 2
        assert (await ledger.settle("x", Amount(1, 1))).seq == 3
        assert (await ledger.settle("x", Amount(1, 1))).seq == 0

    asyncio.run(story())


def test_memory_does_not_grow_with_the_number_of_exchanges() -> None:
    async def run(ledger: MemoryLedger, clocks: Clocks, exchanges: int) -> None:
        for number in range(exchanges):
            await ledger.reserve(Ask(f"{number}", ("a", "b"), input=3, output=4, price=PENNY, lease_ms=1_000))
            await clocks.pass_time(0.002)
            if number % 100:
                await ledger.settle(f"{number}", Amount(5, 5))

    async def story() -> None:
        clocks = Clocks()
        limits = [Limits("a", "month"), Limits("b", "minute", tokens_per_minute=10**8)]
        ledger = MemoryLedger(limits, wall=clocks.tell_wall, steady=clocks.tell_steady)
        tracemalloc.start()
        try:
            await run(ledger, clocks, 500)
            before, _ = tracemalloc.get_traced_memory()
            await ledger.sweep()
            await run(ledger, clocks, 5_000)
            await clocks.pass_time(7_200)
            await ledger.sweep()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 20_000

    asyncio.run(story())


def test_a_snapshot_holds_what_is_settled_and_what_is_held() -> None:
    async def story() -> None:
        clocks = Clocks()
        limits = [Limits("a", "minute"), Limits("b"), Limits("unused")]
        ledger = MemoryLedger(limits, wall=clocks.tell_wall, steady=clocks.tell_steady)
        await spend(ledger, "1", 10, "a")
        await clocks.pass_time(60)
        await spend(ledger, "2", 20, "a")
        await reserved(ledger, ask("held", 5, "a", "b", lease_ms=600_000))
        await reserved(ledger, ask("late", 7, "a", lease_ms=1_000))
        await clocks.pass_time(2)
        await ledger.sweep()
        assert ledger.snapshot() == Snapshot(
            seq=6,
            budgets=[
                BudgetCount("a", "minute", [PeriodCount(NOON_MINUTE, 10, 10), PeriodCount(NOON_MINUTE + 60_000_000, 20, 20)], []),
                BudgetCount("b", "total", [PeriodCount(-(2**62), 0, 0)], []),
            ],
            held=[
                Held("held", NOON + 60_000_000, ("a", "b"), 5, 5),
                Held("late", NOON + 60_000_000, ("a",), 7, 7),
            ],
        )

    asyncio.run(story())


def test_a_ledger_from_a_snapshot_goes_on_where_the_other_ended() -> None:
    async def story() -> None:
        clocks = Clocks()
        limits = [Limits("a", "minute", tokens=100)]
        ledger = MemoryLedger(limits, wall=clocks.tell_wall, steady=clocks.tell_steady)
        await spend(ledger, "1", 30, "a")
        await reserved(ledger, ask("x", 20, "a"))
        other = MemoryLedger(limits, wall=clocks.tell_wall, steady=clocks.tell_steady)
        await other.restore(ledger.snapshot())
        assert other.snapshot() == ledger.snapshot()
        assert await sums(other, "a") == (50, 0, 0)
        assert (await reserved(other, ask("y", 50, "a"))).seq == 4
        await refused(other, ask("z", 1, "a"))

    asyncio.run(story())


def test_tokens_of_several_attempts_come_back_as_far_as_they_are_not_regained() -> None:
    async def story() -> None:
        clocks = Clocks()
        ledger = MemoryLedger([Limits("a", tokens_per_minute=60)], wall=clocks.tell_wall, steady=clocks.tell_steady)
        await reserved(ledger, ask("x", 60, "a"))
        await clocks.pass_time(60)
        await ledger.extend(Extension("x", 1, 0, 60, price=PENNY))
        await ledger.settle("x", Amount(50, 50))
        # 70 of 120 are unused: 60 of the first attempt, regained by now, and 10 of the second.
        assert (await refused(ledger, ask("y", 11, "a"))).retry_after_ms == 1_000
        await reserved(ledger, ask("y", 10, "a"))

    asyncio.run(story())


class CheckThenAdd:
    """How a budget is often kept: looked at before the request, added to after it; between the two others look."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        if ask.output > self.left:
            return Refusal("a", "tokens", None)
        return Reservation(ask.id, ask.output, ask.output, ask.output, at=0)

    async def settle(self, _reservation: str, spent: Amount) -> None:
        self.left -= spent.tokens


def spent_by_many(ledger: MemoryLedger | CheckThenAdd) -> int:
    """Return what 50 clients at once spend, each in five exchanges of 30 tokens."""
    spent = 0

    async def client(name: int) -> None:
        nonlocal spent
        for number in range(5):
            found = await ledger.reserve(ask(f"{name}.{number}", 30, "a"))
            if isinstance(found, Reservation):
                await asyncio.sleep(0)
                spent += 30
                await ledger.settle(found.id, Amount(30, 30))

    async def run() -> None:
        await asyncio.gather(*(client(name) for name in range(50)))

    asyncio.run(run())
    return spent


def test_many_clients_at_once_use_a_budget_up_and_no_more() -> None:
    assert spent_by_many(MemoryLedger([Limits("a", tokens=1_000)])) == 990


def test_control_check_then_add_overspends() -> None:
    assert spent_by_many(CheckThenAdd(1_000)) > 1_000
