"""A log's database: SQLite in WAL mode, one row for each commit.

    commits(first, count, open, leaves, entries)

    first     index of the row's first entry
    count     entries in it
    open      now and then: the exchanges that are open after this row, as JSON {id: index of begin}; only speeds up a start
    leaves    their leaf hashes, 32 bytes each
    entries   the entries (`gateway.audit.frames`)

Invariants
- A row is written by one INSERT, which is its own transaction: it is there whole and durable, or not at all.
- After an error a `Store` is closed and never used again: what its last write did, only opening the file anew can tell. After a
  failed fsync the WAL file's cached and its durable contents may differ, and a later commit behind such a hole would be lost with
  it: so opening writes what the cache holds once more, moves all of it into the database, and starts the WAL file afresh.
- Three traps of SQLite: that WAL mode could not be had is told only in the pragma's answer, so that is read; a failed sync of
  the folder is not told at all, so folders are synced here, once the WAL file is in them; and the one of the line above.
- Rows are only added: the database itself refuses to change or delete one.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from gateway.audit.batch import Batch
from gateway.audit.frames import FrameError, pack, unpack
from gateway.audit.layout import database, wal_file
from gateway.audit.merkle import HASH_BYTES
from gateway.audit.recovery import follow
from gateway.store.durable import renew_file, sync_folder
from gateway.store.private import make_file

FORM: Final = 1
"""`PRAGMA user_version` of the form described above."""
PATIENCE: Final = 2.0
"""Seconds to wait for a reader that holds a lock."""
_SYNCHRONOUS_FULL: Final = 2

_FORM_1: Final = (
    """
    CREATE TABLE commits (
        first INTEGER PRIMARY KEY CHECK (first >= 0),
        count INTEGER NOT NULL CHECK (count > 0),
        open BLOB,
        leaves BLOB NOT NULL CHECK (length(leaves) = 32 * count),
        entries BLOB NOT NULL
    )
    """,
    "CREATE TRIGGER never_changed BEFORE UPDATE ON commits BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
    "CREATE TRIGGER never_deleted BEFORE DELETE ON commits BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
    f"PRAGMA user_version = {FORM}",
)
_INSERT: Final = "INSERT INTO commits (first, count, open, leaves, entries) VALUES (?, ?, ?, ?, ?)"
# What is read is cast, because a damaged or edited row may hold anything.
_OPEN_LAST: Final = """
    SELECT first, CAST(count AS INTEGER), CAST(open AS BLOB) FROM commits
    WHERE open IS NOT NULL ORDER BY first DESC LIMIT 1
"""
_ROWS_AFTER: Final = """
    SELECT first, CAST(count AS INTEGER), CAST(entries AS BLOB) FROM commits WHERE first > ? ORDER BY first
"""
_ENTRIES_AT: Final = """
    SELECT first, CAST(count AS INTEGER), CAST(entries AS BLOB) FROM commits WHERE first <= ? ORDER BY first DESC LIMIT 1
"""
_LEAVES_AT: Final = """
    SELECT first, CAST(count AS INTEGER), CAST(leaves AS BLOB) FROM commits WHERE first <= ? ORDER BY first DESC LIMIT 1
"""

T = TypeVar("T")


class StoreError(Exception):
    """The database is not, or cannot safely be, the log that it should be; the message is a few words for operators."""


class Cursor(Protocol):
    """What a statement gave."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""


class Connection(Protocol):
    """A connection in autocommit mode, usable from one thread after the other; raises `sqlite3.Error`."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement."""

    def close(self) -> None:
        """Close it, whatever state it is in."""


Connect = Callable[[Path], Connection]
Durably = Callable[[Path], None]
"""Makes the names in a folder, or the bytes of a file, durable; raises `OSError`."""


def connect(path: Path) -> Connection:
    """Return a connection of Python's own SQLite."""
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


@dataclass(frozen=True, slots=True)
class Tail:
    """What a log holds: the index of its next entry, the last entry (empty if none), and the begins without end by exchange."""

    next: int
    last: bytes
    open: dict[str, int]


class Store:
    """An open database of a log, for one thread at a time. Methods raise `sqlite3.Error`, those that read also `StoreError`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, batch: Batch) -> None:
        """Make a batch durable. After an error its outcome is unknown, and this store must be closed."""
        row = (batch.first, batch.count, batch.open, b"".join(batch.leaves), pack(batch.entries))
        self._connection.execute(_INSERT, row)

    def tail(self) -> Tail:
        """Return where the log ends; it reads back to the last row that tells what is open."""
        known = self._connection.execute(_OPEN_LAST).fetchone()
        after, following, open_begins = -1, 0, {}
        if known is not None:
            after, following = known[0], known[0] + known[1]
            open_begins = _reading(after, lambda: msgspec.json.decode(known[2], type=dict[str, int]))
        rows = self._connection.execute(_ROWS_AFTER, (after,))
        while (row := rows.fetchone()) is not None:
            first, count, piece = row
            if first != following:
                raise StoreError(f"entries from {following} to {first - 1} are missing")
            following = first + count
            _reading(first, lambda: follow(open_begins, _cut(piece, count), first=first))  # noqa: B023  # called at once
        return Tail(following, (self.entry(following - 1) if following else None) or b"", open_begins)

    def entry(self, index: int) -> bytes | None:
        """Return one entry's bytes, or None where there is none of that index."""
        found = self._row(_ENTRIES_AT, index)
        return None if found is None else _reading(found[0], lambda: _cut(found[2], found[1])[index - found[0]])

    def leaf(self, index: int) -> bytes | None:
        """Return one entry's leaf hash as stored, or None where there is none of that index."""
        found = self._row(_LEAVES_AT, index)
        return None if found is None else found[2][(index - found[0]) * HASH_BYTES :][:HASH_BYTES]

    def close(self) -> None:
        """Close the database; what cannot be done any more is left to the next opening."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _row(self, query: str, index: int) -> tuple[int, int, bytes] | None:
        row: tuple[int, int, bytes] | None = self._connection.execute(query, (index,)).fetchone()
        return row if row is not None and row[0] <= index < row[0] + row[1] else None


def _cut(piece: bytes, count: int) -> list[bytes]:
    entries = unpack(piece)
    if len(entries) != count:
        raise FrameError(f"{len(entries)} entries instead of {count}")
    return entries


def _reading(first: int, read: Callable[[], T]) -> T:
    try:
        return read()
    except (FrameError, msgspec.MsgspecError, UnicodeError) as error:
        raise StoreError(f"the row of entry {first} is damaged: run 'gatehouse audit verify'") from error


def open_store(
    folder: Path,
    *,
    connect: Connect = connect,
    sync: Durably = sync_folder,
    renew: Durably = renew_file,
    strict: bool = False,
) -> Store:
    """Open the log in a slot's folder, made on the first start; what is in it is durable before this returns.

    Where it is `strict`, as after a failure, a reader that keeps the WAL file from being started afresh is an error.
    Raises `sqlite3.Error`, `OSError` or `StoreError`.
    """
    path = database(folder)
    make_file(path)
    connection = connect(path)
    try:
        _prepare(connection)
        # SQLite's own lock for writing keeps every other process from starting the file afresh under our hands.
        connection.execute("BEGIN IMMEDIATE")
        renew(wal_file(folder))
        connection.execute("COMMIT")
        _start_afresh(connection, strict=strict)
        _lay_out(connection)
        # The slot's folder with the WAL file in it, the folder of all slots, and store.path.
        for each in (folder, folder.parent, folder.parent.parent):
            sync(each)
    except BaseException:
        Store(connection).close()
        raise
    return Store(connection)


def _prepare(connection: Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"the file system cannot do SQLite's WAL mode (it stays in {mode!r}): use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS, where a plain fsync does not reach the disk
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    if synchronous != _SYNCHRONOUS_FULL:
        raise StoreError("SQLite does not wait for the disk (PRAGMA synchronous)")
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    if form > FORM:
        raise StoreError(f"the log has form {form}, which a later version of Gatehouse made: use that")


def _start_afresh(connection: Connection, *, strict: bool) -> None:
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy and strict:
        raise StoreError("a reader holds the log")


def _lay_out(connection: Connection) -> None:
    if connection.execute("PRAGMA user_version").fetchone() != (0,):
        return
    connection.execute("BEGIN IMMEDIATE")
    for statement in _FORM_1:
        connection.execute(statement)
    connection.execute("COMMIT")
