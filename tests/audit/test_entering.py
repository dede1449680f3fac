"""Entering from threads: durable when it returns, refused where the log refuses, and never a wait without end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.audit.contract import Unwatched
from gateway.audit.entering import Entering
from gateway.audit.entry import Access, Entry, LabelMove
from gateway.audit.log import AuditLog
from gateway.audit.opening import open_audit
from gateway.errors import Unavailable
from gateway.prompt.label.labels import Move
from tests.audit.entries import access
from tests.audit.logs import WRITING, entries_in

MOVE = Move(seq=1, prompt="support/triage", label="production", version="v2", before="v1", by="os:ada", at=1_790_000_000)


def run(store: Path, use: Callable[[AuditLog], Awaitable[None]]) -> list[Entry]:
    """Open a log, use it, close it, and return what is in it."""
    log = open_audit(store, WRITING, payloads=None, watcher=Unwatched())

    async def main() -> None:
        await use(log)
        await log.close()

    asyncio.run(main())
    return entries_in(store / "log" / "0")


def test_what_a_thread_enters_is_durable_when_it_returns(tmp_path: Path) -> None:
    durable: list[int] = []

    async def use(log: AuditLog) -> None:
        entering = Entering(log, asyncio.get_running_loop())
        await asyncio.to_thread(entering.enter, lambda _moment: access())
        durable.append(log.waiting)
        await asyncio.to_thread(entering.move, MOVE)
        durable.append(log.waiting)

    found = run(tmp_path, use)
    assert durable == [0, 0]
    assert [type(each) for each in found[2:4]] == [Access, LabelMove]
    moved = found[3]
    assert isinstance(moved, LabelMove)
    assert (moved.prompt, moved.label, moved.before, moved.version, moved.by) == (
        "support/triage",
        "production",
        "v1",
        "v2",
        "os:ada",
    )


def test_what_the_log_refuses_is_told_to_the_thread(tmp_path: Path) -> None:
    async def use(log: AuditLog) -> None:
        await log.close()
        with pytest.raises(Unavailable):
            await asyncio.to_thread(Entering(log, asyncio.get_running_loop()).move, MOVE)

    run(tmp_path, use)


def test_a_loop_that_does_not_come_to_it_ends_the_wait(tmp_path: Path) -> None:
    idle = asyncio.new_event_loop()

    async def use(log: AuditLog) -> None:
        with pytest.raises(Unavailable, match="audit log"):
            await asyncio.to_thread(Entering(log, idle, patience=0.01).move, MOVE)

    assert not any(isinstance(each, LabelMove) for each in run(tmp_path, use))
    idle.run_until_complete(asyncio.sleep(0))
    idle.close()
