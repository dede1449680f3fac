"""A ledger as plain data: what is stored beside the log, and what the log's entries tell of spending.

A snapshot and the entries after it give the ledger back (`gateway.budget.replay`). All are msgspec structs of integers, strings
and lists, so that msgspec's JSON or MessagePack stores them. Times are microseconds since 1970, money is in millionths.
"""

from __future__ import annotations

from msgspec import Struct

from gateway.settings.tree import BudgetWindow


class PeriodCount(Struct, frozen=True, gc=False, array_like=True):
    """What is settled in one window of a budget; `begins` is its first microsecond."""

    begins: int
    tokens: int
    cost: int


class BudgetCount(Struct, frozen=True, gc=False, array_like=True):
    """What is settled on a budget: its remembered windows, the last used one last, and spans of those used and forgotten.

    A span is the beginning of its first and that of its last window.
    """

    name: str
    window: BudgetWindow
    periods: list[PeriodCount]
    forgotten: list[tuple[int, int]]


class Held(Struct, frozen=True, gc=False, array_like=True):
    """A reservation that has not ended: all that it reserved, on which budgets, in the windows of `at`."""

    id: str
    at: int
    budgets: tuple[str, ...]
    tokens: int
    cost: int


class Snapshot(Struct, frozen=True, gc=False):
    """All sums of a ledger after its `seq`-th change; rates are not in it, they begin anew."""

    seq: int = 0
    budgets: list[BudgetCount] = []
    held: list[Held] = []


class Reserved(Struct, frozen=True, gc=False):
    """Told by a begin: what was reserved, at the ledger's time `at`; `seq` is the reservation's."""

    id: str
    at: int
    budgets: tuple[str, ...]
    tokens: int
    cost: int
    seq: int = 0


class Extended(Struct, frozen=True, gc=False):
    """Told by an attempt: what was reserved more."""

    id: str
    tokens: int
    cost: int
    seq: int = 0


class Settled(Struct, frozen=True, gc=False):
    """Told by an end: what is charged; nothing where the reservation was released."""

    id: str
    tokens: int
    cost: int
    seq: int = 0


class Abandoned(Struct, frozen=True, gc=False):
    """Told by what recovery writes for a begin without end: charged in full where its request may have been dispatched."""

    id: str
    dispatched: bool


Told = Reserved | Extended | Settled | Abandoned
"""What an entry tells of spending."""
