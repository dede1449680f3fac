"""Work that goes on when the one who began it goes: the one place that keeps such tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """Tasks that nobody waits for until `join`; a task that is not kept could vanish in mid-work."""

    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin work that reports by itself; await the task, shielded, to be told how it ended."""
        task = asyncio.Task(work, loop=asyncio.get_running_loop())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def join(self) -> None:
        """Return once everything that was begun has ended, however it did."""
        while self._running:
            await asyncio.wait(self._running)
