"""A log on a disk that a test spoils, and what is found in it afterwards."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.audit.canonical import decode
from gateway.audit.clock import Clock
from gateway.audit.contract import Condition, PayloadStore
from gateway.audit.disk import Space
from gateway.audit.entry import Abandoned, Begin, End, Entry, Genesis
from gateway.audit.frames import unpack
from gateway.audit.layout import database, slot_folder
from gateway.audit.log import AuditLog, Limits
from gateway.audit.merkle import HASH_BYTES, leaf_hash
from gateway.audit.opening import Writing, open_audit
from gateway.audit.place import Seams
from gateway.errors import Unavailable
from tests.audit.faulty import Faults

WRITING = Writing("gatehouse", "gatehouse/0.1.0", "5a" * 32)
PATIENT = Limits(begin_patience=20, patience=20, retry=0.01, close=10, thread_end=0.2, look_again=0.01)
IMPATIENT = replace(PATIENT, begin_patience=0.5, patience=1.0)
"""For tests in which a write stalls; a slow disk may take a while for those that do not."""
T = TypeVar("T")


@dataclass
class Watch:
    """Notes what operators are told."""

    told: list[tuple[object, ...]] = field(default_factory=list)
    written: int = 0
    _changed: asyncio.Event | None = None

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; it can only change when operators are told something."""
        while not holds():
            self._changed = asyncio.Event()
            await self._changed.wait()

    def _note(self, *event: object) -> None:
        self.told.append(event)
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()

    def committed(self, entries: int, seconds: float) -> None:
        assert seconds >= 0
        self.written += entries
        self._wake()

    def failed(self, reason: str) -> None:
        self._note("failed", reason)

    def recovered(self, abandoned: int) -> None:
        self._note("recovered", abandoned)

    def filled(self, condition: Condition, percent: int) -> None:
        self._note("filled", condition, percent)


@dataclass
class Bench:
    """A folder, what goes wrong with it, who watches, and how full its disk is."""

    store: Path
    faults: Faults = field(default_factory=Faults)
    watch: Watch = field(default_factory=Watch)
    percent: int = 10
    gone: bool = False
    ballast: int = 4096
    clock: Clock = field(default_factory=Clock)
    payloads: PayloadStore | None = None
    limits: Limits = PATIENT

    @property
    def folder(self) -> Path:
        return slot_folder(self.store, "0")

    def seams(self) -> Seams:
        def measure(_: Path) -> Space:
            if self.gone:
                raise OSError(errno.EIO, "a text")
            return Space(self.percent * 10**6, (100 - self.percent) * 10**6)

        return Seams(connect=self.faults.connect, measure=measure, ballast=self.ballast, clock=self.clock)

    def open(self, writing: Writing = WRITING) -> AuditLog:
        payloads = self.payloads
        open_payloads = None if payloads is None else lambda _slot: payloads
        return open_audit(self.store, writing, payloads=open_payloads, watcher=self.watch, seams=self.seams(), limits=self.limits)

    def run(self, story: Callable[[AuditLog], Coroutine[Any, Any, T]]) -> T:
        """Open the log, live a story with it, close it; nothing may then be left open."""
        log = self.open()

        async def told() -> T:
            try:
                async with asyncio.timeout(20):
                    return await story(log)
            finally:
                self.faults.gate.set()
                await log.close()

        found = asyncio.run(told())
        assert self.faults.opened == self.faults.closed
        return found


def rows(folder: Path) -> list[tuple[int, list[bytes], bytes]]:
    """Return what the database holds: the first index of each commit, its entries, their leaf hashes."""
    reader = sqlite3.connect(f"file:{database(folder)}?mode=ro", uri=True)
    try:
        found = reader.execute("SELECT first, count, entries, leaves FROM commits ORDER BY first").fetchall()
    finally:
        reader.close()
    following = 0
    read = []
    for first, count, piece, leaves in found:
        entries = unpack(piece)
        assert first == following, "indices are contiguous"
        assert len(entries) == count
        hashes = [leaves[at : at + HASH_BYTES] for at in range(0, len(leaves), HASH_BYTES)]
        assert hashes == [leaf_hash(each) for each in entries]
        following += count
        read.append((first, entries, leaves))
    return read


def entries_in(folder: Path) -> list[Entry]:
    """Return all entries of a log, having checked that each exchange is one story: a begin and then exactly one end of it."""
    entries = [decode(each) for _, found, _ in rows(folder) for each in found]
    assert isinstance(entries[0], Genesis)
    begun: dict[str, int] = {}
    over: set[str] = set()
    for index, entry in enumerate(entries):
        if isinstance(entry, Begin):
            assert entry.id not in begun
            begun[entry.id] = index
        elif isinstance(entry, (End, Abandoned)):
            assert begun[entry.id] == entry.begin
            assert entry.id not in over
            over.add(entry.id)
    return entries


def kinds_in(folder: Path) -> list[str]:
    return [type(each).__name__.lower() for each in entries_in(folder)]


async def refused(each: Awaitable[object]) -> str:
    """Await what must be refused, and return why."""
    with pytest.raises(Unavailable) as caught:
        await each
    assert caught.value.code == "audit_unavailable"
    assert caught.value.retry_after
    return caught.value.reason.removeprefix("audit: ")


def why(log: AuditLog, entry: Entry) -> str:
    """Append what must be refused at once, and return why."""
    with pytest.raises(Unavailable) as caught:
        log.append(entry)
    return caught.value.reason.removeprefix("audit: ")


def how(log: AuditLog) -> Condition:
    """Return how a log stands: a call, so that a type checker does not take the answer for lasting."""
    return log.condition
