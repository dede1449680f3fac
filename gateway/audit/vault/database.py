"""A database of wrapped keys: SQLite in WAL mode, durable at each commit, overwriting what it deletes.

Invariants
- After an error a connection is closed and never used again. After a failed fsync the WAL file's cached and its durable contents
  may differ: so opening writes what the cache holds once more, moves all of it into the database, and starts the WAL file afresh.
- Deleted rows are overwritten with zeros (`secure_delete`): to destroy a key is to delete its row, and to empty the WAL file.
- What SQLite tells only in a pragma's answer is read there; the folder's names are synced here, as SQLite ignores that failing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from gateway.store.durable import renew_file, sync_folder
from gateway.store.private import make_file, make_folder

FORM: Final = 1
"""`PRAGMA user_version` of the tables that this version makes."""
PATIENCE: Final = 2.0
"""Seconds to wait for another process that holds a lock."""
_SYNCHRONOUS_FULL: Final = 2


class Cursor(Protocol):
    """What a statement answers."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""


class Connection(Protocol):
    """A connection in autocommit mode, usable from one thread after the other; raises `sqlite3.Error`."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Run one statement for each row of parameters."""

    def close(self) -> None:
        """Close it, whatever state it is in."""


Connect = Callable[[Path], Connection]
Sync = Callable[[Path], None]


def connect(path: Path) -> Connection:
    """Return a connection of Python's own SQLite."""
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


def open_database(
    path: Path,
    tables: Sequence[str],
    *,
    connect: Connect = connect,
    sync: Sync = sync_folder,
    renew: Sync = renew_file,
    strict: bool = False,
) -> Connection:
    """Open a database with these tables, made on the first start; what is in it is durable before this returns.

    Where it is `strict`, as after a failure, a reader that keeps the WAL file from being started afresh is an error.
    Raises `sqlite3.Error` or `OSError`.
    """
    make_folder(path.parent)
    with _alone(path.parent):
        connection = _open(path, tables, connect=connect, renew=renew, strict=strict)
    try:
        for folder in (path.parent, path.parent.parent):
            sync(folder)
    except BaseException:
        close(connection)
        raise
    return connection


def _open(path: Path, tables: Sequence[str], *, connect: Connect, renew: Sync, strict: bool) -> Connection:
    make_file(path)
    connection = connect(path)
    try:
        _prepare(connection, tables)
        # SQLite's own lock for writing keeps every other process from starting the file afresh under our hands.
        connection.execute("BEGIN IMMEDIATE")
        renew(path.with_name(f"{path.name}-wal"))
        connection.execute("COMMIT")
        _start_afresh(connection, strict=strict)
    except BaseException:
        close(connection)
        raise
    return connection


def read_database(path: Path) -> Connection:
    """Open a database that is there for reading only; raises `sqlite3.Error`."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )


def close(connection: Connection) -> None:
    """Close a connection; what cannot be done any more is left to the next opening."""
    with contextlib.suppress(sqlite3.Error):
        connection.close()


@contextlib.contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Begin, and commit at the end; where anything fails in between, nothing of it happened."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _start_afresh(connection: Connection, *, strict: bool) -> None:
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy and strict:
        raise sqlite3.OperationalError("a reader holds the keys")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time open a database: of several that switch a new file to WAL mode all but one may fail."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _prepare(connection: Connection, tables: Sequence[str]) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"the file system cannot do SQLite's WAL mode (it stays in {mode!r}): use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS, where a plain fsync does not reach the disk
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    (overwrites,) = connection.execute("PRAGMA secure_delete = ON").fetchone()
    if synchronous != _SYNCHRONOUS_FULL or overwrites != 1:
        raise sqlite3.OperationalError("SQLite does not wait for the disk, or does not overwrite what it deletes")
    with transaction(connection):  # of several processes that find an empty file one lays it out
        (form,) = connection.execute("PRAGMA user_version").fetchone()
        if form > FORM:
            raise sqlite3.OperationalError(f"the keys have form {form}, which a later version of Gatehouse made: use that")
        if form == 0:
            for statement in (*tables, f"PRAGMA user_version = {FORM}"):
                connection.execute(statement)
