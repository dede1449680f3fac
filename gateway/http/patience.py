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

    A timer for every read would cost more than the read: the one timer is moved only when it fires early or a wait must
    end sooner. `deadline` is in the event loop's time and bounds every wait.
    """

    __slots__ = ("_cancelling", "_deadline", "_expires", "_fired", "_loop", "_task", "_timer")

    def __init__(self, deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._expires = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._fired = False
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine that awaits the network runs in a task
        self._task = task
        self._cancelling = task.cancelling()

    async def wait(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Return what `awaitable` gives; raises `HttpTimeout` when it takes longer than `seconds` or past the deadline."""
        expires = min(self._loop.time() + seconds, self._deadline)
        self._expires = expires
        if self._timer is None or self._timer.when() > expires:
            self._arm(expires)
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

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._loop.time() >= self._expires:
            self._fired = True
            self._task.cancel()
        elif self._expires < math.inf:
            self._arm(self._expires)
