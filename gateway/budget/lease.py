"""Reservations that have not ended, each with its lease, and those whose lease was over. Pure: time is given.

Invariants
- A reservation is held, or assumed and remembered, or gone; it ends once.
- What is remembered of assumed ones is bounded: by `LATE` and by `MOST_LATE`; a forgotten one stays charged in full.
- Nobody looks for leases that are over while none can be.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from gateway.budget.contract import Amount, Lapse, Reservation
from gateway.budget.pot import Period

LATE: Final = 3_600_000_000
"""How long, in microseconds, a settlement may come after its lease."""
MOST_LATE: Final = 10_000
LOOK: Final = 100_000
"""Looks for leases that are over are so many microseconds apart, at least: each goes through all that is held."""
_NEVER: Final = 2**62

Taking = tuple[int, list[int]]
"""Tokens that one attempt took of the minute, and the mark of each budget by which they are given back."""


class Held:
    """One reservation: all that it holds, in which windows, until when (microseconds of the steady clock).

    `takings` are there where any of the budgets has a rate; `first` and `last` are what reserve and the last extension, whose
    number is `step`, were told.
    """

    __slots__ = ("cost", "ends", "first", "last", "periods", "step", "takings", "tokens")

    def __init__(self, first: Reservation, periods: list[Period], ends: int) -> None:
        self.first = first
        self.last = first
        self.tokens = first.tokens
        self.cost = first.cost
        self.periods = periods
        self.ends = ends
        self.takings: list[Taking] = []
        self.step = 0


class Leases:
    """All reservations of a ledger; `next` is the earliest time at which a lease may be over."""

    __slots__ = ("_lapses", "held", "late", "next")

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.late: OrderedDict[str, Held] = OrderedDict()
        self.next = _NEVER
        self._lapses: deque[Lapse] = deque(maxlen=MOST_LATE)

    def over(self, now: int) -> list[Held]:
        """Move the reservations whose lease is over to the late ones, and return them."""
        ended = [held for held in self.held.values() if held.ends <= now]
        for held in ended:
            del self.held[held.first.id]
            self._lapses.append(Lapse(held.first.id, Amount(held.tokens, held.cost)))
            self.remember(held, now)
        while self.late and (len(self.late) > MOST_LATE or next(iter(self.late.values())).ends <= now):
            self.late.popitem(last=False)
        earliest = min((held.ends for held in self.held.values()), default=_NEVER)
        self.next = max(earliest, now + LOOK)
        return ended

    def remember(self, held: Held, now: int) -> None:
        """Remember a reservation that is charged in full, so that a late settlement finds it."""
        held.ends = now + LATE
        self.late[held.first.id] = held

    def lapses(self) -> list[Lapse]:
        """Return what ended because of its lease since this was asked last."""
        lapses = list(self._lapses)
        self._lapses.clear()
        return lapses
