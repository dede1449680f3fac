"""The laws of the ledger, over lives at random; and ledgers that break one each, which the same lives must catch."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from gateway.budget.contract import Amount, Ask, Extension, Limits, Refusal, Reservation, Settlement
from gateway.budget.memory import MemoryLedger
from gateway.budget.snapshot import Snapshot
from tests.budget.life import Life

QUICK = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
TestLife = Life.TestCase
TestLife.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)


@pytest.mark.fault
@pytest.mark.timeout(1_200)
def test_long_lives_at_random_keep_the_laws() -> None:
    long = settings(max_examples=5_000, stateful_step_count=100, derandomize=False, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Life, settings=long)


class Leaks(MemoryLedger):
    """What is released stays reserved."""

    async def release(self, reservation: str) -> Settlement:
        return Settlement("settled" if reservation in self._leases.held else "unknown")


class ChargesLate(MemoryLedger):
    """A late settlement is charged as it comes."""

    def _settle_late(self, reservation: str, spent: Amount) -> Settlement:
        held = self._leases.late.get(reservation)
        if held is not None:
            held.tokens, held.cost = max(held.tokens, spent.tokens), max(held.cost, spent.cost)
        return super()._settle_late(reservation, spent)


class SettlesTwice(MemoryLedger):
    """An end that comes again is carried out again."""

    async def settle(self, reservation: str, spent: Amount) -> Settlement:
        held = self._leases.held.get(reservation)
        found = await super().settle(reservation, spent)
        if held is not None:
            self._leases.late[reservation] = held
        return found


class ExtendsUnasked(MemoryLedger):
    """A further attempt is not held against any limit."""

    async def extend(self, more: Extension) -> Reservation | Refusal:
        limits = [pot.limits for pot in self._pots.values()]
        self.limit(Limits(limit.name, limit.window) for limit in limits)
        try:
            return await super().extend(more)
        finally:
            self.limit(limits)


class LosesCountsOnReload(MemoryLedger):
    """New limits begin from zero."""

    def limit(self, limits: Iterable[Limits]) -> None:
        if not self._leases.held:
            self._known = {}
        super().limit(limits)


class ForgetsWindows(MemoryLedger):
    """Only the present window is known: a clock that goes back finds a fresh one."""

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        for pot in self._pots.values():
            pot.periods = [pot.period]
        return await super().reserve(ask)


class LosesTheHeld(MemoryLedger):
    """A crash forgets what was reserved."""

    def snapshot(self) -> Snapshot:
        whole = super().snapshot()
        return Snapshot(whole.seq, whole.budgets)


class RefusesHalf(MemoryLedger):
    """The last half of a budget is never given out."""

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        for name in ask.budgets:
            pot = self._pots.get(name)
            if pot is not None and pot.limits.tokens and pot.period.tokens * 2 > pot.limits.tokens:
                return Refusal(name, "tokens", None)
        return await super().reserve(ask)


@pytest.mark.parametrize(
    "broken",
    [Leaks, ChargesLate, SettlesTwice, ExtendsUnasked, LosesCountsOnReload, ForgetsWindows, LosesTheHeld, RefusesHalf],
)
def test_control_a_ledger_that_breaks_a_law_is_caught(broken: type[MemoryLedger]) -> None:
    class BrokenLife(Life):
        make = broken

    with pytest.raises((AssertionError, KeyError)):
        run_state_machine_as_test(BrokenLife, settings=QUICK)
