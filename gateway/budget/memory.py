"""The ledger in the memory of one process: for one worker on one machine.

Invariants
- Nothing here waits: between two awaits of a caller an operation is whole.
- An operation costs the same however many budgets and exchanges there are; memory grows with budgets and open reservations.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import Final

from gateway.budget import headroom
from gateway.budget.contract import (
    MOST,
    Amount,
    Ask,
    Extension,
    Headroom,
    Lapse,
    Limits,
    Refusal,
    Reservation,
    Settlement,
    Standing,
)
from gateway.budget.lease import Held, Leases, Taking
from gateway.budget.pot import UNLIMITED, Period, Pot
from gateway.budget.rules import Times, Wish, cost_of, judge, tokens_of
from gateway.budget.snapshot import Held as HeldCount
from gateway.budget.snapshot import Snapshot
from gateway.budget.tally import Sums, counted, pots_of, reserved

MICROSECOND: Final = 1_000
_NOTHING: Final = Amount()
_UNKNOWN: Final = Settlement("unknown")


class MemoryLedger:
    """Keeps the sums of all budgets here; see `gateway.budget.contract.Ledger`.

    `wall` decides on windows, `steady` on rates and leases; both are in nanoseconds.
    """

    def __init__(
        self,
        limits: Iterable[Limits] = (),
        *,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._leases = Leases()
        self._known: dict[str, Pot] = {}
        self._pots: dict[str, Pot] = {}
        self._seq = 0
        self.limit(limits)

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        """Reserve on every budget of the ask, or on none."""
        now, steady = self._wall() // MICROSECOND, self._steady() // MICROSECOND
        leases = self._leases
        if steady >= leases.next:
            self._end_leases(steady)
        known = leases.held.get(ask.id)
        if known is not None:
            return known.first
        periods = []
        for name in ask.budgets:
            pot = self._pots.get(name)
            if pot is None:
                return Refusal(name, "budget", None)
            period = pot.period
            periods.append(period if period.begins <= now < period.ends else pot.at(now))
        output = _granted(ask, periods, Times(now, steady))
        if isinstance(output, Refusal):
            return output
        tokens, cost = tokens_of(ask, output), cost_of(ask, output)
        taking = _take(ask, periods, tokens, cost=cost, steady=steady)
        for period in periods:
            period.pot.open += 1
        self._seq += 1
        requests, left = _headrooms(periods[: ask.shown], now, steady)
        first = Reservation(ask.id, output, tokens, cost, now, self._seq, requests, left)
        held = leases.held[ask.id] = Held(first, periods, steady + ask.lease_ms * MICROSECOND)
        if taking is not None:
            held.takings.append(taking)
        leases.next = min(leases.next, held.ends)
        return first

    async def extend(self, more: Extension) -> Reservation | Refusal:
        """Reserve more for an open reservation, in the windows where it is."""
        now, steady = self._wall() // MICROSECOND, self._steady() // MICROSECOND
        self._end_leases(steady)
        held = self._leases.held.get(more.id)
        if held is None:
            return Refusal("", "reservation", None)
        if more.step <= held.step:
            return held.last
        output = _granted(more, held.periods, Times(now, steady))
        if isinstance(output, Refusal):
            return output
        tokens, cost = tokens_of(more, output), cost_of(more, output)
        taking = _take(more, held.periods, tokens, cost=cost, steady=steady)
        if taking is not None:
            held.takings.append(taking)
        held.tokens += tokens
        held.cost += cost
        held.step = more.step
        self._seq += 1
        held.last = Reservation(more.id, output, tokens, cost, held.first.at, self._seq)
        return held.last

    async def settle(self, reservation: str, spent: Amount) -> Settlement:
        """End a reservation with what was used by all its attempts."""
        steady = self._steady() // MICROSECOND
        self._end_leases(steady)
        held = self._leases.held.pop(reservation, None)
        if held is None:
            return self._settle_late(reservation, spent)
        charged = spent if spent.tokens <= MOST and spent.cost <= MOST else Amount(min(spent.tokens, MOST), min(spent.cost, MOST))
        tokens, cost = charged.tokens - held.tokens, charged.cost - held.cost
        for period in held.periods:
            period.tokens += tokens
            period.cost += cost
            period.pot.open -= 1
        if held.takings:
            _regain(held, -tokens, steady)
        self._seq += 1
        overrun = Amount(max(tokens, 0), max(cost, 0)) if tokens > 0 or cost > 0 else _NOTHING
        return Settlement("settled", charged, overrun, self._seq)

    async def release(self, reservation: str) -> Settlement:
        """End a reservation of which nothing was dispatched."""
        return await self.settle(reservation, _NOTHING)

    async def sweep(self) -> list[Lapse]:
        """End reservations whose lease is over, and return those that ended so since it was asked last."""
        self._end_leases(self._steady() // MICROSECOND)
        return self._leases.lapses()

    async def standings(self, names: Collection[str] | None = None) -> list[Standing]:
        """Return how budgets stand, all or those of these names."""
        now, steady = self._wall() // MICROSECOND, self._steady() // MICROSECOND
        self._end_leases(steady)
        sums = _sums(self._leases.held.values())
        return [_standing(pot.at(now), sums, steady) for name, pot in self._pots.items() if names is None or name in names]

    def limit(self, limits: Iterable[Limits]) -> None:
        """Replace all limits from now on; sums are kept, also those of budgets that are not named any more."""
        now = self._wall() // MICROSECOND
        pots = {}
        moved: dict[Period, Period] = {}
        for limit in limits:
            pot = self._known.get(limit.name)
            if pot is None:
                pot = self._known[limit.name] = Pot(limit, now)
            else:
                moved |= pot.limit(limit, now)
            pots[limit.name] = pot
        self._pots = pots
        if moved:
            for held in (*self._leases.held.values(), *self._leases.late.values()):
                held.periods = [moved.get(period, period) for period in held.periods]

    def snapshot(self) -> Snapshot:
        """Return all sums as plain data; what was assumed and may still be settled late is among the held."""
        leases = [*self._leases.held.values(), *self._leases.late.values()]
        return Snapshot(self._seq, counted(self._known, _sums(leases)), [_count(held) for held in leases])

    async def restore(self, snapshot: Snapshot) -> None:
        """Take the place of all sums by a snapshot's; what is open there is settled at its full amount, for its owner is gone."""
        steady = self._steady() // MICROSECOND
        limits = [pot.limits for pot in self._pots.values()]
        self._seq = snapshot.seq
        self._known = pots_of(snapshot.budgets)
        self._leases = Leases()
        for count in snapshot.held:
            periods = [self._known[name].at(count.at) for name in count.budgets if name in self._known]
            for period in periods:
                period.tokens += count.tokens
                period.cost += count.cost
            first = Reservation(count.id, 0, count.tokens, count.cost, count.at)
            self._leases.remember(Held(first, periods, steady), steady)
        self.limit(limits)

    def _settle_late(self, reservation: str, spent: Amount) -> Settlement:
        held = self._leases.late.pop(reservation, None)
        if held is None:
            return _UNKNOWN
        charged = Amount(min(spent.tokens, held.tokens), min(spent.cost, held.cost))
        for period in held.periods:
            period.tokens += charged.tokens - held.tokens
            period.cost += charged.cost - held.cost
        self._seq += 1
        overrun = Amount(min(spent.tokens, MOST) - charged.tokens, min(spent.cost, MOST) - charged.cost)
        return Settlement("late", charged, overrun, self._seq)

    def _end_leases(self, steady: int) -> None:
        if steady >= self._leases.next:
            for held in self._leases.over(steady):
                for period in held.periods:
                    period.pot.open -= 1


def _granted(wish: Wish, periods: list[Period], times: Times) -> int | Refusal:
    """Return the output that one choice may have: all that is asked where it simply fits."""
    tokens, cost = tokens_of(wish, wish.output), cost_of(wish, wish.output)
    first = isinstance(wish, Ask)
    for period in periods:
        pot = period.pot
        if (
            tokens > pot.tokens - period.tokens
            or cost > pot.cost - period.cost
            or (first and pot.open >= pot.concurrent)
            or (wish.price is None and pot.cost != UNLIMITED)
            or (pot.rated and not pot.admits_rates(tokens, times.steady, first=first))
        ):
            return judge(wish, periods, times)
    return wish.output


def _take(wish: Wish, periods: list[Period], tokens: int, *, cost: int, steady: int) -> Taking | None:
    """Take an attempt from every budget; return how its tokens of the minute can be given back, None where there are none."""
    rated = False
    for period in periods:
        period.tokens += tokens
        period.cost += cost
        rated = rated or period.pot.rated
    if not rated:
        return None
    first = isinstance(wish, Ask)
    return tokens, [period.pot.take_rates(tokens, steady, first=first) for period in periods]


def _regain(held: Held, unused: int, steady: int) -> None:
    """Give back what was unused of the minute: of the first attempts first, most of which is regained already."""
    for tokens, marks in held.takings:
        part = min(unused, tokens) if unused > 0 else unused
        for period, mark in zip(held.periods, marks, strict=True):
            period.pot.regain(part, mark, steady)
        unused -= part
        if not unused:
            break


def _headrooms(periods: list[Period], now: int, steady: int) -> tuple[Headroom | None, Headroom | None]:
    if not periods:
        return None, None
    return (
        headroom.requests(periods, steady),
        headroom.tokens(periods, now, steady),
    )


def _count(held: Held) -> HeldCount:
    budgets = tuple(period.pot.limits.name for period in held.periods)
    return HeldCount(held.first.id, held.first.at, budgets, held.tokens, held.cost)


def _sums(leases: Iterable[Held]) -> Sums:
    return reserved((held.periods, held.tokens, held.cost) for held in leases)


def _standing(period: Period, sums: Sums, steady: int) -> Standing:
    pot = period.pot
    tokens, cost = sums.get(period, (0, 0))
    return Standing(
        pot.limits,
        period.begins,
        None if pot.limits.window == "total" else period.ends,
        settled=Amount(period.tokens - tokens, period.cost - cost),
        reserved=Amount(tokens, cost),
        open=pot.open,
        requests=headroom.requests((period,), steady),
        tokens=headroom.token_rate((period,), steady),
    )
