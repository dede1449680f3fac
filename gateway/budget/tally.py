"""Between a ledger's sums and plain data, and back. Pure.

A snapshot holds as settled what is settled for good, and as held what may still be refunded: so the entries after it, which tell
how each reservation ended, can be applied to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.budget.contract import Limits
from gateway.budget.pot import Period, Pot
from gateway.budget.snapshot import BudgetCount, PeriodCount
from gateway.budget.window import bounds

Sums = dict[Period, tuple[int, int]]
"""Tokens and cost that are reserved in each window."""


def reserved(held: Iterable[tuple[Iterable[Period], int, int]]) -> Sums:
    """Return what reservations, each with its windows, tokens and cost, hold in each window."""
    sums: Sums = {}
    for periods, tokens, cost in held:
        for period in periods:
            known = sums.get(period, (0, 0))
            sums[period] = known[0] + tokens, known[1] + cost
    return sums


def counted(pots: Mapping[str, Pot], sums: Sums) -> list[BudgetCount]:
    """Return what is settled on every budget that was ever used; `sums` are what is reserved."""
    counts = []
    for name, pot in pots.items():
        periods = [_count(period, sums) for period in pot.periods if period.tokens or period.cost]
        if periods or pot.forgotten:
            counts.append(BudgetCount(name, pot.limits.window, periods, pot.forgotten))
    return counts


def _count(period: Period, sums: Sums) -> PeriodCount:
    held = sums.get(period)
    if held is None:
        return PeriodCount(period.begins, period.tokens, period.cost)
    return PeriodCount(period.begins, period.tokens - held[0], period.cost - held[1])


def pots_of(counts: Iterable[BudgetCount]) -> dict[str, Pot]:
    """Return the budgets of a snapshot, without limits."""
    pots = {}
    for count in counts:
        pot = pots[count.name] = Pot(Limits(count.name, count.window), 0)
        pot.forgotten = list(count.forgotten)
        if count.periods:
            pot.periods = [_period(pot, period) for period in count.periods]
            pot.period = pot.periods[-1]
    return pots


def _period(pot: Pot, count: PeriodCount) -> Period:
    ends = bounds(pot.limits.window, count.begins)[1]
    period = Period(pot, count.begins, ends)
    period.tokens, period.cost = count.tokens, count.cost
    return period
