"""What reserve and settle cost in the memory of one process: CPU microseconds for each exchange, the median of some rounds.

Run as `python -m tests.bench.budgets`; exit code 1 when three nested budgets cost more than `ALLOWED` microseconds, or many
budgets or open reservations cost more than `FLAT` times as much as few.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.budget.contract import MOST, Amount, Ask, Limits, Price
from gateway.budget.memory import MemoryLedger
from gateway.budget.spending import Spending
from gateway.exchange.usage import Usage

ALLOWED = 15.0
FLAT = 1.5
ROUNDS = 9
EXCHANGES = 5_000
MANY = 10_000
"""Budgets that are there beside those asked for, and reservations that are open meanwhile."""

PRICE = Price(input=150_000, output=600_000, cached=75_000, reasoning=600_000)
WINDOWS = {"tenant": "month", "app": "day", "route": "hour"}
USAGE = Usage(input=400, output=300)


@dataclass(frozen=True)
class Case:
    """One situation: `rates` on every budget, headroom told of `shown` of them, `others` budgets, `open` reservations.

    Where it is `whole` the exchange goes through `Spending`, as the pipeline's does.
    """

    name: str
    rates: bool = False
    shown: int = 0
    others: int = 0
    open: int = 0
    whole: bool = False


CASES = (
    Case("three nested budgets"),
    Case("with headroom for headers", shown=3),
    Case("with two rates on each", rates=True, shown=3),
    Case(f"among {MANY:,} budgets", others=MANY),
    Case(f"beside {MANY:,} open reservations", open=MANY),
    Case("through spending", shown=3, whole=True),
)


def ledger(case: Case) -> MemoryLedger:
    """Return a ledger in a case's situation."""
    rate = MANY * MANY if case.rates else None
    limits = [
        Limits(name, window, tokens=MOST, cost=MOST, requests_per_minute=rate, tokens_per_minute=rate)  # type: ignore[arg-type]
        for name, window in WINDOWS.items()
    ]
    return MemoryLedger([*limits, *(Limits(f"{number}", "day", tokens=MOST) for number in range(case.others))])


def ask(name: str, case: Case) -> Ask:
    """Return what one exchange asks for."""
    return Ask(name, tuple(WINDOWS), 500, 512, price=PRICE, shorten=True, shown=case.shown)


async def cost(case: Case, exchanges: int) -> float:
    """Return what one exchange costs, in microseconds of CPU."""
    kept = ledger(case)
    for number in range(case.open):
        await kept.reserve(ask(f"open {number}", case))
    spent = Amount(700, 240)
    asks = [ask(f"{number}", case) for number in range(exchanges)]
    began = time.process_time_ns()
    if case.whole:
        for each in asks:
            found = await kept.reserve(each)
            async with Spending(kept, each, found) as spending:  # type: ignore[arg-type]
                spending.dispatch()
                spending.use(USAGE)
    else:
        for each in asks:
            await kept.reserve(each)
            await kept.settle(each.id, spent)
    return (time.process_time_ns() - began) / exchanges / 1_000


async def snapshot_cost(budgets: int) -> float:
    """Return how long a snapshot of so many used budgets holds the event loop, in milliseconds."""
    kept = MemoryLedger(Limits(f"{number}", "day") for number in range(budgets))
    for number in range(budgets):
        await kept.reserve(Ask(f"{number}", (f"{number}",), 1, 1, price=PRICE))
        await kept.settle(f"{number}", Amount(1, 1))
    began = time.process_time_ns()
    kept.snapshot()
    return (time.process_time_ns() - began) / 1_000_000


def median(measure: Callable[[], float], rounds: int) -> float:
    """Return the median of some rounds."""
    return statistics.median(measure() for _ in range(rounds))


def main(rounds: int = ROUNDS, exchanges: int = EXCHANGES) -> int:
    """Measure every case in turn and say whether all is as it should be."""
    found = {}
    for case in CASES:
        found[case.name] = median(lambda case=case: asyncio.run(cost(case, exchanges)), rounds)  # type: ignore[misc]
        print(f"{case.name:36} {found[case.name]:6.2f} µs", flush=True)
    held = median(lambda: asyncio.run(snapshot_cost(MANY)), min(rounds, 5))
    print(f"{f'snapshot of {MANY:,} budgets':36} {held:6.2f} ms")
    few, *_ = found.values()
    flat = all(found[case.name] <= FLAT * few for case in CASES if case.others or case.open)
    print(f"allowed {ALLOWED:.0f} µs; {'flat' if flat else 'not flat'} with {MANY:,} budgets and reservations")
    return 0 if max(found.values()) <= ALLOWED and flat else 1


if __name__ == "__main__":
    sys.exit(main())
