"""How long one task waits for the network: many waits, one timer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import TypeVar

from gateway.http.contract import HttpTimeout

T = TypeVar("T")


class Patience:
    """Bounds single waits of the task that made it; between waits nothing is bounded, so a slow reader harms no one else.

    A timer for every read would cost more than the read. One is set, for the `shortest` wait that is usual, in seconds; when it
    fires it looks whether the wait of that moment is over. `deadline` is in the event loop's time and bounds every wait.
    """

    __slots__ = ("_cancelling", "_deadline", "_expires", "_fired", "_loop", "_shortest", "_task", "_timer")

    def __init__(self, deadline: float, shortest: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._shortest = shortest
        self._expires = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._fired = False
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine that awaits the network runs in a task
        self._task = task
        self._cancelling = task.cancelling()

    async def wait(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Return what `awaitable` gives; raises `HttpTimeout` when it takes longer than `seconds` or past the deadline."""
        now = self._loop.time()
        self._expires = min(now + seconds, self._deadline)
        if self._timer is None:
            self._timer = self._loop.call_at(min(now + self._shortest, self._expires), self._fire)
        elif self._timer.when() > self._expires:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._expires, self._fire)
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._fired and self._task.uncancel() <= self._cancelling:
                raise HttpTimeout from None
            raise
        finally:
            self._expires = math.inf

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        if self._loop.time() >= self._expires:
            self._fired = True
            self._task.cancel()
        elif self._expires < math.inf:
            self._timer = self._loop.call_at(self._expires, self._fire)
