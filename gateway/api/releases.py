"""Publishing and moving labels over HTTP: each in a thread, a few at a time, and in the log before it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from msgspec import UNSET

from gateway.audit.entering import Entering
from gateway.audit.log import AuditLog
from gateway.errors import Forbidden, InvalidRequest, Unavailable
from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.label.labels import Move
from gateway.prompt.label.releasing import Promotion, Releasing
from gateway.prompt.label.table import Expected
from gateway.prompt.library.publish import Published, publish
from gateway.prompt.live import LivePrompts
from gateway.settings.tree import Prompts

THREADS: Final = 2
MOST_WAITING: Final = 16
RETRY_AFTER: Final = 1.0
SHOWN: Final = 5
"""Problems of a draft that an answer tells of."""

T = TypeVar("T")


class Releases:
    """Moves labels and publishes drafts of the prompts of this process; close it, so that its threads end."""

    def __init__(self, live: LivePrompts, log: AuditLog, *, settings: Prompts) -> None:
        self._live = live
        self._log = log
        self._settings = settings
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gatehouse-release")
        self._waiting = 0

    async def promote(self, wanted: Promotion, *, expected: Expected = UNSET) -> Move:
        """Move a label forward; raises as `Releasing.promote` does."""
        releasing = self._releasing()
        return await self._moved(lambda: releasing.promote(wanted, expected=expected))

    async def rollback(self, prompt: str, label: str, *, to: str | None, by: str, why: str, expected: Expected = UNSET) -> Move:
        """Move a label back; raises as `Releasing.rollback` does."""
        releasing = self._releasing()
        return await self._moved(lambda: releasing.rollback(prompt, label, to=to, by=by, why=why, expected=expected))

    async def history(self, prompt: str, label: str | None) -> tuple[Move, ...]:
        """Return the moves of a prompt's labels, or of one of them, the oldest first."""
        return await self._run(lambda: self._live.table.moves(prompt, label))

    async def publish(self, prompt: str) -> Published:
        """Make a draft the next version, which is served when it returns.

        Raises `Forbidden` unless the settings allow it, `InvalidRequest` for a draft that cannot be published, and what
        `gateway.prompt.library.publish` raises.
        """
        if not self._settings.writable:
            raise Forbidden("Prompts are not published over HTTP here (prompts.writable).", code="role_not_allowed")

        def work() -> Published:
            try:
                published = publish(self._settings.path, prompt)
            except PromptInvalid as error:
                told = "; ".join(problem.sentence() for problem in error.problems[:SHOWN])
                raise InvalidRequest(f"The draft cannot be published: {told}.", param="id") from None
            self._live.watch.reload()
            return published

        return await self._run(work)

    def close(self) -> None:
        """End the threads, each after what it does now."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _releasing(self) -> Releasing:
        entering = Entering(self._log, asyncio.get_running_loop())
        return Releasing(self._live.prompts.library, self._live.table, enter=entering.move)

    async def _moved(self, move: Callable[[], Move]) -> Move:
        moved = await self._run(move)
        self._live.following.nudge()
        return moved

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("Too many changes at a time. Try again.", retry_after=RETRY_AFTER, reason="prompts: changes")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
