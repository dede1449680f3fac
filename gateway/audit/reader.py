"""A log's database, read only: rows and entries as they stand there, for whoever searches, shows or verifies.

Invariants
- Nothing of the writer's code is used here, and nothing is ever written: not to the database, its WAL file or its folder, with
  one exception, SQLite's own -wal and -shm files beside a database that is read while a gateway may write to it.
- No read transaction outlives a method, so that a gateway that writes meanwhile is never kept from starting its WAL file afresh.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from gateway.audit.frames import FrameError, unpack
from gateway.audit.layout import database, lock_file
from gateway.audit.merkle import HASH_BYTES, leaf_hash
from gateway.errors import GatehouseError

FORM: Final = 1
"""`PRAGMA user_version` of the logs that this reader knows."""
PATIENCE: Final = 2.0
"""Seconds to wait for a writer that starts the WAL file afresh."""
ROWS: Final = 16
"""Rows that are read at once."""
MOST_BYTES: Final = 67_108_864
"""Bytes of a row; one of the writer's holds at most 512 entries of at most 64 kB. A damaged length asks for any amount."""
MOST_FINDINGS: Final = 20
KEPT: Final = 8
"""Rows whose entries are kept for the next question."""

Mode = Literal["shared", "still"]
"""Whether a gateway may write meanwhile, or nobody does and nothing beside the database may be touched."""


class ReadError(GatehouseError):
    """The log cannot be read, or is not what it should be; the message names the file and, where it can, the entry."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One entry as it stands in the log: its index, its exact bytes, and its leaf hash as stored beside it."""

    index: int
    data: bytes
    leaf: bytes

    @property
    def intact(self) -> bool:
        """Whether the bytes are those that the leaf hash was made of."""
        return leaf_hash(self.data) == self.leaf


@dataclass(frozen=True, slots=True)
class Row:
    """One commit as it stands in the database, whatever is in its columns."""

    first: Any
    count: Any
    open: Any
    leaves: Any
    entries: Any

    def cut(self) -> list[Stored]:
        """Return the row's entries; raises `ReadError` where its columns do not fit together."""
        if not (isinstance(self.first, int) and isinstance(self.count, int) and self.count > 0):
            raise ReadError("its count is not a number above 0")
        if not (isinstance(self.leaves, bytes) and isinstance(self.entries, bytes)):
            raise ReadError("its leaf hashes or its entries are not bytes")
        if len(self.leaves) != HASH_BYTES * self.count:
            raise ReadError(f"it has {len(self.leaves)} bytes of leaf hashes for {self.count} entries")
        try:
            pieces = unpack(self.entries)
        except FrameError as error:
            raise ReadError(str(error)) from error
        if len(pieces) != self.count:
            raise ReadError(f"it holds {len(pieces)} entries instead of {self.count}")
        return [
            Stored(self.first + number, data, self.leaves[number * HASH_BYTES :][:HASH_BYTES])
            for number, data in enumerate(pieces)
        ]


class Reader:
    """An open log; for one thread. `rows_read` counts the rows that it has read so far. Methods raise `ReadError`."""

    def __init__(self, folder: Path, *, mode: Mode = "shared") -> None:
        self.path = database(folder)
        self.rows_read = 0
        self._kept: list[list[Stored]] = []
        self._connection = _connect(self.path, mode)
        try:
            self._empty = self._is_empty()
        except BaseException:
            self.close()
            raise

    def rows(self, first: int, *, most: int = ROWS) -> list[Row]:
        """Return up to `most` rows whose first entry has the index `first` or a later one, in the order of their indices."""
        query = "SELECT first, count, open, leaves, entries FROM commits WHERE first >= ? ORDER BY first LIMIT ?"
        return self._rows(query, (first, most))

    def row_of(self, index: int) -> Row | None:
        """Return the row that the entry of that index is in, or None where there is none."""
        query = "SELECT first, count, open, leaves, entries FROM commits WHERE first <= ? ORDER BY first DESC LIMIT 1"
        found = self._rows(query, (index,))
        if not found:
            return None
        row = found[0]
        return row if isinstance(row.count, int) and index < row.first + row.count else None

    def entry(self, index: int) -> Stored | None:
        """Return one entry, or None where there is none of that index; raises `ReadError` where it is not intact."""
        entries = next((row for row in self._kept if row[0].index <= index <= row[-1].index), None) or self._cut(index)
        if not entries:
            return None
        entry = entries[index - entries[0].index]
        if not entry.intact:
            raise ReadError(f"{self.path}: entry {index} is not what its leaf hash was made of")
        return entry

    def last(self) -> int | None:
        """Return the index of the last row's first entry, or None where the log is empty."""
        if self._empty:
            return None
        found = self._ask("SELECT max(first) FROM commits", ())[0][0]
        return found if isinstance(found, int) else None

    def check(self) -> list[str]:
        """Return what SQLite itself finds wrong with its file, a few words each."""
        try:
            found = [text for (text,) in self._ask(f"PRAGMA integrity_check({MOST_FINDINGS})")]
        except ReadError as error:
            return [str(error)]
        return [text.decode("utf-8", "replace") for text in found if text != b"ok"]

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _cut(self, index: int) -> list[Stored]:
        """Return the entries of the row that an entry is in, and keep them: what is read next is mostly nearby."""
        row = self.row_of(index)
        if row is None:
            return []
        try:
            entries = row.cut()
        except ReadError as error:
            raise ReadError(f"{self.path}: row {row.first}: {error}") from error
        self._kept = [*self._kept[1 - KEPT :], entries]
        return entries

    def _rows(self, query: str, parameters: Sequence[int]) -> list[Row]:
        if self._empty:
            return []
        rows = [Row(*values) for values in self._ask(query, parameters)]
        self.rows_read += len(rows)
        return rows

    def _is_empty(self) -> bool:
        """Check the form of the database, and tell whether a process died before it had given it one."""
        form = self._ask("PRAGMA user_version")[0][0]
        kinds = [kind for (kind,) in self._ask("SELECT type FROM sqlite_schema WHERE name = 'commits'")]
        if form > FORM:
            raise ReadError(f"{self.path}: the log has form {form}, which a later version of Gatehouse made: use that")
        if form == 0 and not kinds:
            return True
        if form != FORM or kinds != [b"table"]:
            raise ReadError(f"{self.path}: it is a database, but not that of a log")
        return False

    def _ask(self, query: str, parameters: Sequence[int] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, parameters).fetchall()
        except (sqlite3.Error, UnicodeError, MemoryError) as error:  # SQLite may quote damaged text in what it says
            raise ReadError(f"{self.path}: {error}") from error


def _connect(path: Path, mode: Mode) -> sqlite3.Connection:
    """Return a connection that gives text as bytes, because damaged text may be no text."""
    address = path.absolute().as_uri() + "?mode=ro"
    wal = path.with_name(path.name + "-wal")
    still_wal = mode == "still" and wal.exists() and wal.stat().st_size > 0
    if mode == "still":
        # Without locks and shared memory: nothing beside the database is made or changed, also where nothing could be.
        address += "&vfs=unix-none" if still_wal else "&immutable=1"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise ReadError(f"{path}: {error}") from error
    connection.text_factory = bytes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
    try:
        if still_wal:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        # The file may come from anywhere: nothing in it is run, and a page that contradicts itself is an error at once.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    except sqlite3.Error as error:
        connection.close()
        raise ReadError(f"{path}: {error}") from error
    return connection


def is_held(folder: Path) -> bool:
    """Tell whether a living process writes to the log in a slot's folder."""
    try:
        lock = os.open(lock_file(folder), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # no such file, or none of ours
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(lock)
    return False
