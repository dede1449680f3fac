"""The thread that makes batches durable, and nothing else.

Invariants
- One batch at a time: payloads and their keys first, then the entries that tell of them.
- It ends with its first failure, having closed its store: nothing is tried again on a handle that has failed.
- Whoever waits hears of the end, whatever it was: also a fault that nobody foresaw is reported before the thread dies of it.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final, Literal

from gateway.audit.batch import Batch
from gateway.audit.contract import PayloadStore
from gateway.audit.disk import Disk, Standing, is_full
from gateway.audit.store import Store, StoreError, Tail

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at how full the disk is, at least."""

Work = Batch | Literal["look", "stop"]


@dataclass(frozen=True, slots=True)
class Opened:
    """The log was opened again after a failure: what is on the disk."""

    tail: Tail
    standing: Standing


@dataclass(frozen=True, slots=True)
class Written:
    """A batch is durable; it took `seconds`."""

    batch: Batch
    seconds: float
    standing: Standing


@dataclass(frozen=True, slots=True)
class Looked:
    """How full the disk is."""

    standing: Standing


@dataclass(frozen=True, slots=True)
class Ended:
    """The thread has closed its store and ends: because it was told to (no reason), or has failed. `full`: for want of space."""

    reason: str = ""
    full: bool = False


Report = Opened | Written | Looked | Ended


class Writer:
    """Writes what it is given, in order, and reports after each piece of work.

    `store` is open, or a function that opens it and says what is in it.
    """

    def __init__(
        self,
        store: Store | Callable[[], tuple[Store, Tail]],
        *,
        disk: Disk,
        payloads: PayloadStore | None,
    ) -> None:
        self._store = store
        self._disk = disk
        self._payloads = payloads
        self._report: Callable[[Report], None] = _unheard
        self._inbox: SimpleQueue[Work] = SimpleQueue()
        self._standing = Standing("ok", 0)
        self._looked = 0.0
        self._thread = threading.Thread(target=self._run, name="gatehouse-audit", daemon=True)

    def start(self, report: Callable[[Report], None]) -> None:
        """Begin to work; `report` is called in the thread."""
        self._report = report
        self._thread.start()

    def give(self, work: Work) -> None:
        """Hand over a batch, or ask for a look at the disk, or for the end; it never waits."""
        self._inbox.put(work)

    def join(self, patience: float) -> bool:
        """Wait for the thread's end, for at most `patience` seconds, and tell whether it came."""
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        end = Ended("a fault of our own")
        try:
            end = self._work()
        finally:
            self._report(end)

    def _work(self) -> Ended:
        store: Store | None = None
        try:
            store = self._open()
            while (work := self._inbox.get()) != "stop":
                self._look(asked=work == "look")
                if isinstance(work, Batch):
                    self._write(store, work)
                else:
                    self._report(Looked(self._standing))
        except (sqlite3.Error, OSError, StoreError) as error:
            return Ended(reason_of(error), full=is_full(error))
        finally:
            if store is not None:
                store.close()
        return Ended()

    def _open(self) -> Store:
        if isinstance(self._store, Store):
            return self._store
        store, tail = self._store()
        self._look(asked=True)
        self._report(Opened(tail, self._standing))
        return store

    def _write(self, store: Store, batch: Batch) -> None:
        began = time.perf_counter()
        if batch.sealed and self._payloads is not None:
            self._payloads.write(batch.sealed)
        store.write(batch)
        self._report(Written(batch, time.perf_counter() - began, self._standing))

    def _look(self, *, asked: bool) -> None:
        now = time.monotonic()
        if asked or now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._standing = self._disk.standing()


def _unheard(_report: Report) -> None:
    """Hear nothing: the thread has not been started."""


def reason_of(error: Exception) -> str:
    """Return what failed in a few fixed words: SQLite's or the system's name of the error, never its text."""
    if isinstance(error, StoreError):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, type(error).__name__)
    return getattr(error, "sqlite_errorname", type(error).__name__)
