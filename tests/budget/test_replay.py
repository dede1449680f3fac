"""A snapshot and what entries tell after it give the ledger back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.budget.contract import Amount, Extension, Limits, Reservation
from gateway.budget.memory import MemoryLedger
from gateway.budget.replay import merge, replay
from gateway.budget.snapshot import Abandoned, BudgetCount, Extended, Held, PeriodCount, Reserved, Settled, Snapshot, Told
from gateway.settings.tree import BudgetWindow
from tests.budget.asking import PENNY, ask
from tests.budget.places import NOON, Clocks

NOON_MINUTE = NOON - 30_000_000
MINUTE = 60_000_000
WINDOWS: dict[str, BudgetWindow] = {"a": "minute", "b": "total"}
LIMITS = [Limits(name, window) for name, window in WINDOWS.items()]


def test_what_was_reserved_and_settled_is_counted_in_the_window_of_its_beginning() -> None:
    found = replay([Reserved("x", NOON, ("a", "b"), 50, 60), Settled("x", 40, 30)], WINDOWS)
    assert found == Snapshot(
        budgets=[
            BudgetCount("a", "minute", [PeriodCount(NOON_MINUTE, 40, 30)], []),
            BudgetCount("b", "total", [PeriodCount(-(2**62), 40, 30)], []),
        ]
    )


def test_what_has_not_ended_is_held() -> None:
    found = replay([Reserved("x", NOON, ("a",), 50, 60), Extended("x", 5, 6)], WINDOWS)
    assert found.held == [Held("x", NOON, ("a",), 55, 66)]
    assert found.budgets == [BudgetCount("a", "minute", [PeriodCount(NOON_MINUTE, 0, 0)], [])]


@pytest.mark.parametrize(("dispatched", "charged"), [(True, 50), (False, 0)])
def test_what_recovery_gave_up_is_charged_in_full_only_where_it_may_have_been_dispatched(
    *, dispatched: bool, charged: int
) -> None:
    found = replay([Reserved("x", NOON, ("b",), 50, 50), Abandoned("x", dispatched)], WINDOWS)
    assert found.held == []
    assert [period.tokens for count in found.budgets for period in count.periods] == ([charged] if charged else [])


def test_what_is_told_twice_counts_once() -> None:
    once: list[Told] = [Reserved("x", NOON, ("a",), 50, 60), Extended("x", 1, 1), Settled("x", 40, 30)]
    twice: list[Told] = [once[0], *once, Settled("x", 7, 7), Abandoned("x", dispatched=True), Extended("y", 9, 9)]
    assert replay(twice, WINDOWS) == replay(once, WINDOWS)


def test_a_budget_that_neither_file_nor_snapshot_knows_is_not_counted() -> None:
    found = replay([Reserved("x", NOON, ("gone", "a"), 5, 5), Settled("x", 5, 5)], WINDOWS)
    assert [count.name for count in found.budgets] == ["a"]


def test_a_snapshots_own_kind_of_window_goes_on() -> None:
    start = Snapshot(budgets=[BudgetCount("a", "day", [PeriodCount(NOON - NOON % (1_440 * MINUTE), 5, 5)], [])])
    found = replay([Reserved("x", NOON, ("a",), 5, 5), Settled("x", 5, 5)], WINDOWS, snapshot=start)
    assert found.budgets == [BudgetCount("a", "day", [PeriodCount(NOON - NOON % (1_440 * MINUTE), 10, 10)], [])]


def test_what_the_snapshot_includes_is_passed_over() -> None:
    start = Snapshot(seq=2, budgets=[BudgetCount("a", "minute", [PeriodCount(NOON_MINUTE, 40, 40)], [])])
    told: list[Told] = [Reserved("x", NOON, ("a",), 50, 50, seq=1), Settled("x", 40, 40, seq=2)]
    told.append(Reserved("y", NOON, ("a",), 5, 5, seq=3))
    found = replay(told, WINDOWS, snapshot=start)
    assert found.seq == 3
    assert found.held == [Held("y", NOON, ("a",), 5, 5)]
    assert found.budgets[0].periods == [PeriodCount(NOON_MINUTE, 40, 40)]


# Several nodes


def test_what_nodes_spent_is_added_up() -> None:
    one = replay([Reserved("x", NOON, ("a", "b"), 5, 5), Settled("x", 5, 5)], WINDOWS)
    other = replay([Reserved("y", NOON + MINUTE, ("a", "b"), 7, 7), Reserved("z", NOON, ("a",), 2, 2)], WINDOWS)
    found = merge([one, other], WINDOWS, now=NOON)
    assert found.held == other.held
    assert {count.name: sorted(count.periods, key=lambda period: period.begins) for count in found.budgets} == {
        "a": [PeriodCount(NOON_MINUTE, 5, 5)],
        "b": [PeriodCount(-(2**62), 5, 5)],
    }
    both = merge([one, one, replay([Reserved("y", NOON + MINUTE, ("a",), 7, 7), Settled("y", 7, 7)], WINDOWS)], WINDOWS, now=NOON)
    assert both.budgets[0].periods == [PeriodCount(NOON_MINUTE, 10, 10), PeriodCount(NOON_MINUTE + MINUTE, 7, 7)]


def test_nodes_that_knew_another_kind_of_window_are_brought_to_one() -> None:
    month = BudgetCount("a", "month", [PeriodCount(NOON - 14 * 1_440 * MINUTE - NOON % (1_440 * MINUTE), 30, 3)], [])
    minute = BudgetCount("a", "minute", [PeriodCount(NOON_MINUTE, 4, 4)], [(NOON_MINUTE - 9 * MINUTE, NOON_MINUTE - 9 * MINUTE)])
    found = merge([Snapshot(budgets=[month]), Snapshot(budgets=[minute])], {"a": "minute"}, now=NOON)
    [count] = found.budgets
    assert count.window == "minute"
    assert PeriodCount(NOON_MINUTE, 34, 7) in count.periods
    assert merge([], WINDOWS, now=NOON) == Snapshot()


# The law


@dataclass
class Life:
    """A ledger at work, and what its log tells."""

    random: Random
    clocks: Clocks = field(default_factory=Clocks)
    told: list[Told] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(LIMITS, wall=self.clocks.tell_wall, steady=self.clocks.tell_steady)

    async def step(self, number: int) -> None:
        name = self.random.choice([f"{number}", *self.open])
        await self.clocks.pass_time(self.random.choice([0, 0, 1, 70]))  # so few that no late settlement comes too late
        await self.clocks.jump(self.random.choice([0, 0, 0, -70, -4_000, 31_536_000, -31_536_000]))
        match self.random.choice(["reserve", "reserve", "extend", "settle", "release"]):
            case "reserve":
                budgets = self.random.sample(["a", "b"], self.random.randint(0, 2))
                found = await self.ledger.reserve(ask(f"{number}", self.random.randint(0, 50), *budgets, lease_ms=60_000))
                assert isinstance(found, Reservation)
                self.told.append(Reserved(found.id, found.at, tuple(budgets), found.tokens, found.cost, found.seq))
                self.open[found.id] = 0
            case "extend" if name in self.open:
                self.open[name] += 1
                more = await self.ledger.extend(Extension(name, self.open[name], 0, self.random.randint(0, 50), price=PENNY))
                if isinstance(more, Reservation):
                    self.told.append(Extended(name, more.tokens, more.cost, more.seq))
            case "settle" | "release" if name in self.open:
                tokens = self.random.randint(0, 70)
                ended = await self.ledger.settle(name, Amount(tokens, tokens))
                if ended.ended != "unknown":
                    self.told.append(Settled(name, ended.charged.tokens, ended.charged.cost, ended.seq))
                    del self.open[name]


def id_of(held: Held) -> str:
    return held.id


def settled_sums(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    """Return what is settled on each budget in all its remembered windows."""
    return {
        count.name: (sum(period.tokens for period in count.periods), sum(period.cost for period in count.periods))
        for count in snapshot.budgets
        if any(period.tokens or period.cost for period in count.periods)
    }


@given(st.integers(0, 2**32), st.integers(1, 40), st.data())
def test_a_snapshot_and_the_entries_around_it_give_the_ledger_back(seed: int, steps: int, data: st.DataObject) -> None:
    """Entries that lag behind the ledger are in the snapshot already; the tail may begin anywhere before it."""

    async def run() -> tuple[list[tuple[Snapshot, int]], list[Told]]:
        life = Life(Random(seed))  # noqa: S311  # a story that can be told again
        snapshots = [(life.ledger.snapshot(), 0)]
        for number in range(steps):
            await life.step(number)
            snapshots.append((life.ledger.snapshot(), len(life.told)))
        return snapshots, life.told

    snapshots, told = asyncio.run(run())
    start, length = data.draw(st.sampled_from(snapshots))
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(start), type=Snapshot)
    tail = told[data.draw(st.integers(0, length)) :]
    found, live = replay(tail, WINDOWS, snapshot=stored), snapshots[-1][0]
    assert found.seq == live.seq
    assert sorted(found.held, key=id_of) == sorted(live.held, key=id_of)
    # What is remembered may differ: a window that is used by an extension or an end is not used anew by what is told of it.
    few = {count.name for count in live.budgets if count.forgotten} | {count.name for count in found.budgets if count.forgotten}
    assert {name: sums for name, sums in settled_sums(found).items() if name not in few} == {
        name: sums for name, sums in settled_sums(live).items() if name not in few
    }
