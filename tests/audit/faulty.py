"""Connections that fail where a test says, for the log's seam `connect`."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gateway.audit.store import Connection, Cursor, connect


def sqlite_error(name: str) -> sqlite3.OperationalError:
    """Return an error of SQLite's with its name, as the real one has it."""
    error = sqlite3.OperationalError("a text that nobody relies on")
    error.sqlite_errorname = name
    return error


class Row:
    """The answer of a statement that is not run."""

    def __init__(self, *values: Any) -> None:
        self._values = values

    def fetchone(self) -> Any:
        return self._values

    def fetchall(self) -> list[Any]:
        return [self._values]


class FaultyConnection:
    """A connection that fails, waits or answers otherwise, as its `Faults` say."""

    def __init__(self, faults: Faults, inner: Connection) -> None:
        self._faults = faults
        self._inner = inner
        self.failed = False

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        assert not self.failed, "a handle that has failed was used again"
        faults = self._faults
        for beginning, answer in faults.answers.items():
            if " ".join(sql.split()).startswith(beginning):
                return Row(*answer)
        if not sql.startswith("INSERT"):
            return self._inner.execute(sql, parameters)
        assert faults.gate.wait(20)
        fault, faults.next_write = faults.next_write, faults.every_write
        if fault is None:
            return self._inner.execute(sql, parameters)
        self.failed = True
        if fault == "after":
            self._inner.execute(sql, parameters)
            raise sqlite_error("SQLITE_IOERR_FSYNC")
        raise sqlite_error(fault)

    def close(self) -> None:
        self._faults.closed += 1
        self._inner.close()


class Faults:
    """What goes wrong from now on.

    `next_write` names the error of the next write, `every_write` of all; "after" is one whose entries reach the disk.
    `answers` are given to statements that begin so, whatever their spaces. A closed `gate` holds up writes.
    """

    def __init__(self) -> None:
        self.next_write: str | None = None
        self.every_write: str | None = None
        self.cannot_open = False
        self.answers: dict[str, tuple[Any, ...]] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.opened = 0
        self.closed = 0

    def fail_from_now_on(self, name: str | None) -> None:
        self.next_write = self.every_write = name

    def connect(self, path: Path) -> Connection:
        if self.cannot_open:
            raise sqlite_error("SQLITE_CANTOPEN")
        self.opened += 1
        return FaultyConnection(self, connect(path))


def failing_sync(bad: Callable[[Path], bool]) -> Callable[[Path], None]:
    """Return a sync of folders that fails for some."""

    def sync(folder: Path) -> None:
        if bad(folder):
            raise OSError(5, "Input/output error")

    return sync
