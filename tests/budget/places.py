"""Where budgets are kept, each with a way to let time pass and to set its clock: the contract's tests run on every one.

A further place is one more opener beside these, and one more name in the fixture `place` of `conftest.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.budget.contract import Ledger
from gateway.budget.memory import MemoryLedger

NOON = int(datetime(2026, 11, 15, 12, 0, 30, tzinfo=UTC).timestamp()) * 1_000_000
"""Every place begins at this time, in microseconds: half a minute after noon, in the middle of a month."""


@dataclass(frozen=True)
class Place:
    """An empty ledger without limits at `NOON`.

    `pass_time` lets seconds pass, for windows, rates and leases; `jump` sets the clock that decides on windows forward or back by
    so many seconds. Where that clock also times leases a jump may end them; tests that jump end their reservations themselves.
    """

    ledger: Ledger
    pass_time: Callable[[float], Awaitable[None]]
    jump: Callable[[float], Awaitable[None]]


Open = Callable[[], AbstractAsyncContextManager[Place]]


class Clocks:
    """A wall clock in microseconds that can be set, and a steady one in nanoseconds that cannot."""

    def __init__(self) -> None:
        self.wall = NOON * 1_000
        self.steady = 5_000_000_000

    def tell_wall(self) -> int:
        return self.wall

    def tell_steady(self) -> int:
        return self.steady

    async def pass_time(self, seconds: float) -> None:
        self.wall += round(seconds * 1e9)
        self.steady += round(seconds * 1e9)

    async def jump(self, seconds: float) -> None:
        self.wall += round(seconds * 1e9)


@asynccontextmanager
async def in_memory() -> AsyncIterator[Place]:
    clocks = Clocks()
    yield Place(MemoryLedger(wall=clocks.tell_wall, steady=clocks.tell_steady), clocks.pass_time, clocks.jump)
