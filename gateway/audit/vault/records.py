"""The table of one slot's record keys, as the tenants' keys have wrapped them, and how far its payload files are durable.

    record_keys(id, tenant, version, wrapped, day, at)      days(day, sure)

    id        the exchange's id, 16 bytes; made in the order of time, so that rows are added at one end
    version   of the tenant's key that wraps it
    day, at   the payload file, and where the frame was put: a hint, no more (`gateway.audit.vault.reader`)
    sure      an offset in the day's file: all before it was on the disk when this row was written

Erasing one exchange is deleting its row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from gateway.audit.vault.database import Connect, Connection, Sync, close, connect, open_database, read_database, transaction
from gateway.audit.vault.layout import records_database
from gateway.store.durable import renew_file, sync_folder

_TABLES: Final = (
    """
    CREATE TABLE record_keys (
        id BLOB PRIMARY KEY CHECK (length(id) = 16),
        tenant TEXT NOT NULL,
        version INTEGER NOT NULL,
        wrapped BLOB NOT NULL,
        day TEXT NOT NULL,
        at INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE TABLE days (day TEXT PRIMARY KEY, sure INTEGER NOT NULL) WITHOUT ROWID",
)
# An exchange is sealed once: what it replaces, if anything, is what a write left behind that failed.
_INSERT: Final = "INSERT OR REPLACE INTO record_keys (id, tenant, version, wrapped, day, at) VALUES "
_VALUES: Final = "(?, ?, ?, ?, ?, ?)"
_AT_ONCE: Final = (32, 8, 1)
"""Rows that one statement adds: the GIL is let go and taken again for each statement, which may wait for whoever has it."""
_SURE: Final = "INSERT INTO days (day, sure) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET sure = excluded.sure"


class WrappedRecordKey(NamedTuple):
    """One row."""

    id: bytes
    tenant: str
    version: int
    wrapped: bytes
    day: str
    at: int


class RecordKeys:
    """The open table; for one thread at a time. Methods raise `sqlite3.Error`; after one it must be closed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, keys: Iterable[WrappedRecordKey], *, sure: Mapping[str, int]) -> None:
        """Make keys durable, and how far the days' files are."""
        with transaction(self._connection):
            left = list(keys)
            for count in _AT_ONCE:
                while len(left) >= count:
                    some, left = left[:count], left[count:]
                    self._connection.execute(_INSERT + ", ".join([_VALUES] * count), list(chain.from_iterable(some)))
            self._connection.executemany(_SURE, sure.items())

    def find(self, exchange: bytes) -> WrappedRecordKey | None:
        """Return an exchange's key, or None where there is none, or no more."""
        query = "SELECT id, tenant, version, wrapped, day, at FROM record_keys WHERE id = ?"
        row = self._connection.execute(query, (exchange,)).fetchone()
        return None if row is None else WrappedRecordKey(*row)

    def sure(self, day: str) -> int:
        """Return how far a day's file is known to be durable."""
        row = self._connection.execute("SELECT sure FROM days WHERE day = ?", (day,)).fetchone()
        return 0 if row is None else int(row[0])

    def close(self) -> None:
        """Close the table."""
        close(self._connection)


def open_record_keys(
    store: Path,
    slot: str,
    *,
    connect: Connect = connect,
    sync: Sync = sync_folder,
    renew: Sync = renew_file,
    strict: bool = False,
) -> RecordKeys:
    """Open a slot's table under `store.path`, made on the first start; raises `sqlite3.Error` or `OSError`.

    `strict`, as after a failure: see `gateway.audit.vault.database`.
    """
    path = records_database(store, slot)
    return RecordKeys(open_database(path, _TABLES, connect=connect, sync=sync, renew=renew, strict=strict))


def read_record_keys(store: Path, slot: str) -> RecordKeys:
    """Open a slot's table under `store.path` for reading only; raises `sqlite3.Error` where there is none."""
    return RecordKeys(read_database(records_database(store, slot)))
