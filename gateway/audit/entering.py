"""What a thread does is entered in the log of this process: the way from a thread to the event loop that the log belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.audit.batch import RETRY_SOON, unavailable
from gateway.audit.clock import Moment
from gateway.audit.entry import Entry
from gateway.audit.log import AuditLog
from gateway.audit.prompts import Moved, label_move

PATIENCE: Final = 10.0
"""Seconds that a thread waits for an entry to be durable."""


class Entering:
    """Enters what threads do; `loop` runs the log."""

    def __init__(self, log: AuditLog, loop: asyncio.AbstractEventLoop, *, patience: float = PATIENCE) -> None:
        self._log = log
        self._loop = loop
        self._patience = patience

    def enter(self, make: Callable[[Moment], Entry]) -> None:
        """Enter what `make` gives for this moment, and return once it is durable; for any thread but the loop's.

        Raises `Unavailable` where it cannot be made durable, or not in time: then it may be found in the log all the same.
        """

        async def append() -> None:
            await self._log.append(make(self._log.clock.now()))

        try:
            asyncio.run_coroutine_threadsafe(append(), self._loop).result(self._patience)
        except TimeoutError:
            raise unavailable("not in time", retry_after=RETRY_SOON) from None

    def move(self, moved: Moved, /, *, withdrawn: bool = False) -> None:
        """Enter a move of a label: the `enter` that a table of labels asks for."""
        self.enter(lambda moment: label_move(moved, moment, withdrawn=withdrawn))
