"""The search index of one log: a database beside it that can be deleted at any time, because it is built from the log alone.

Invariants
- It follows the log: each search first reads the rows that came since the last one. Where the log is not the one that it was
  built from (restored, begun anew), it begins anew.
- It is never believed: what it finds is read again from the log, and compared (`gateway.audit.search.archive`).
- Entries whose bytes are not those of their leaf hash, and rows that cannot be read, are left out and counted.
- Several processes may read and bring up to date the same index at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from gateway.audit.entry import Count
from gateway.audit.reader import Reader, ReadError, Row, Stored
from gateway.audit.search.filters import Filters, Place

FILE: Final = "search.sqlite3"
LOCK: Final = "search.lock"
FORM: Final = 2
"""`PRAGMA user_version` of the tables below; an index of another form is built anew."""
PATIENCE: Final = 10.0
"""Seconds to wait for another process that brings the index up to date; it commits every `PORTION` entries."""
PORTION: Final = 8192
"""Entries that are indexed in one transaction, at least."""

_TABLES: Final = (
    "CREATE TABLE position (next INTEGER NOT NULL, leaf BLOB NOT NULL)",
    "INSERT INTO position VALUES (0, x'')",
    "CREATE TABLE damaged (first INTEGER PRIMARY KEY)",
    """
    CREATE TABLE exchanges (
        begin INTEGER PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, tenant TEXT NOT NULL, app TEXT, route TEXT,
        prompt TEXT, version TEXT, outcome TEXT NOT NULL, last INTEGER
    )
    """,
    "CREATE INDEX exchanges_by_id ON exchanges (id)",
    "CREATE INDEX exchanges_by_tenant ON exchanges (tenant, at)",
    "CREATE INDEX exchanges_by_time ON exchanges (at)",
    # Tenant and version stand in it, so that those of others are passed over without a look at the table.
    "CREATE INDEX exchanges_by_prompt ON exchanges (prompt, at, tenant, version) WHERE prompt IS NOT NULL",
    """
    CREATE TABLE notes (
        entry INTEGER PRIMARY KEY, kind TEXT NOT NULL, at INTEGER NOT NULL, tenant TEXT, id TEXT, prompt TEXT, version TEXT
    )
    """,
    "CREATE INDEX notes_by_id ON notes (id) WHERE id IS NOT NULL",
    "CREATE INDEX notes_by_kind ON notes (kind, at)",
    f"PRAGMA user_version = {FORM}",
)
_DAMAGED_CODES: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR}
FOREVER: Final = 2**63 - 1


class _Used(msgspec.Struct, frozen=True, gc=False):
    """As much of the prompt of a begin."""

    id: str
    version: str


class _Mark(msgspec.Struct, frozen=True, gc=False):
    """As much of an entry as is searched for; `prompt` is a text where a label of it is moved."""

    kind: str
    at: Count
    id: str | None = None
    tenant: str | None = None
    app: str | None = None
    route: str | None = None
    begin: Count | None = None
    result: str | None = None
    prompt: _Used | str | None = None
    version: str | None = None
    canary: str | None = None

    @property
    def used(self) -> tuple[str | None, str | None]:
        """The prompt and the version that an exchange used, or that a label was moved to."""
        if isinstance(self.prompt, _Used):
            return self.prompt.id, self.prompt.version
        return self.prompt, self.canary or self.version


T = TypeVar("T")
_mark = msgspec.json.Decoder(_Mark).decode


class Stale(Exception):
    """The index is damaged or does not fit the log: `Index.rebuild` begins anew, then what was asked can be asked again."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Where something stands that was found: its place, and of an exchange also the index of its last entry, if it has one."""

    place: Place
    last: int | None = None


@dataclass(slots=True)
class _Portion:
    """What entries add to the tables."""

    exchanges: dict[int, list[Any]] = field(default_factory=dict)
    ends: list[tuple[str, int, int]] = field(default_factory=list)
    notes: list[tuple[int, str, int, str | None, str | None, str | None, str | None]] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)

    def add_row(self, row: Row, *, following: int) -> tuple[int, bytes]:
        """Add a row's entries; return the index after them, and the leaf hash before that."""
        if row.first != following:
            self.damaged.append(following)
        try:
            entries = row.cut()
        except ReadError:
            # Its count cannot be believed, the place of the next row can.
            self.damaged.append(row.first)
            return row.first + 1, b""
        for entry in entries:
            self._add(entry)
        return entries[-1].index + 1, entries[-1].leaf

    def _add(self, entry: Stored) -> None:
        try:
            mark = _mark(entry.data) if entry.intact else None
        except (msgspec.MsgspecError, UnicodeError):
            mark = None
        if mark is None:
            self.damaged.append(entry.index)
        elif mark.kind == "begin" and mark.id is not None and mark.tenant is not None:
            known = [entry.index, mark.id, mark.at, mark.tenant, mark.app, mark.route, *mark.used, "open", None]
            self.exchanges[entry.index] = known
        elif mark.kind in {"end", "abandoned"} and mark.begin is not None:
            self._end(mark.begin, mark.result or "abandoned", entry.index)
        else:
            self.notes.append((entry.index, mark.kind, mark.at, mark.tenant, mark.id, *mark.used))

    def _end(self, begin: int, outcome: str, index: int) -> None:
        known = self.exchanges.get(begin)
        if known is None:
            self.ends.append((outcome, index, begin))
        else:
            known[-2:] = [outcome, index]


class Index:
    """The index of the log that `reader` reads, in the log's folder; for one thread. Methods raise `Stale` or `ReadError`."""

    def __init__(self, folder: Path, reader: Reader, *, slot: str) -> None:
        self._path = folder / FILE
        self._reader = reader
        self._slot = slot
        try:
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ReadError(f"{folder / LOCK}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            self._connection = self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def catch_up(self, *, most: int | None = None) -> bool:
        """Take in what the log has got since; tell whether that was all, or `most` entries of it and a little more."""
        taken = 0
        while most is None or taken < most:
            portion = self._answering(self._take_portion)
            if not portion:
                return True
            taken += portion
        return False

    def exchanges(self, filters: Filters, *, before: Place | None, limit: int) -> list[Hit]:
        """Return the latest exchanges that pass the filters, where a place is given those before it."""
        # A plus keeps SQLite from the index of a column: who asks for a prompt finds less by that than by tenant or time.
        tenant = "tenant" if filters.prompt is None else "+tenant"
        wanted = {
            tenant: filters.tenant,
            "app": filters.app,
            "route": filters.route,
            "outcome": filters.outcome,
            "prompt": filters.prompt,
            "version": filters.version,
        }
        conditions, values = self._conditions("begin", wanted, filters=filters, before=before)
        query = f"SELECT at, begin, last FROM exchanges WHERE {conditions} ORDER BY at DESC, begin DESC LIMIT ?"  # noqa: S608  # ours
        return [Hit(Place(at, self._slot, begin), last) for at, begin, last in self._ask(query, (*values, limit))]

    def notes(self, filters: Filters, *, before: Place | None, limit: int) -> list[Hit]:
        """Return the latest entries of another kind that pass the filters, where a place is given those before it."""
        wanted = {"kind": filters.kind, "tenant": filters.tenant, "prompt": filters.prompt, "version": filters.version}
        conditions, values = self._conditions("entry", wanted, filters=filters, before=before)
        query = f"SELECT at, entry FROM notes WHERE {conditions} ORDER BY at DESC, entry DESC LIMIT ?"  # noqa: S608  # ours
        return [Hit(Place(at, self._slot, entry)) for at, entry in self._ask(query, (*values, limit))]

    def exchange(self, exchange_id: str) -> list[Hit]:
        """Return where an exchange stands."""
        found = self._ask("SELECT at, begin, last FROM exchanges WHERE id = ?", (exchange_id,))
        return [Hit(Place(at, self._slot, begin), last) for at, begin, last in found]

    def about(self, exchange_id: str) -> list[Hit]:
        """Return the entries that tell of an exchange beside its begin and end, in the order of the log."""
        found = self._ask("SELECT at, entry FROM notes WHERE id = ? ORDER BY entry", (exchange_id,))
        return [Hit(Place(at, self._slot, entry)) for at, entry in found]

    def damaged(self) -> int:
        """Return how many entries, rows and holes had to be left out."""
        return int(self._ask("SELECT count(*) FROM damaged", ())[0][0])

    def rebuild(self) -> None:
        """Begin anew, with nothing."""
        self._connection.close()
        self._delete()
        self._connection = self._open()

    def close(self) -> None:
        """Close the index."""
        self._connection.close()
        os.close(self._lock)

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.Error as error:
            if not _is_damaged(error):
                raise ReadError(f"{self._path}: {error}") from error
        self._delete()
        try:
            return self._connect()
        except sqlite3.Error as error:
            raise ReadError(f"{self._path}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        # SQLite gives its -wal and -shm files the mode of the database. One that is there is not opened: closing it would drop
        # the locks of this process's other connections.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # A power cut may take the last entries from the index, which come again, but never damages it.
            connection.execute("PRAGMA synchronous = NORMAL")
            if _form(connection) != FORM:
                _lay_out(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _delete(self) -> None:
        """Delete the index once nobody has it open: under someone, it would become a mixture of old and new files."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
            self._path.with_name(name).unlink(missing_ok=True)
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def _take_portion(self) -> int:
        """Index the next entries of the log, in one transaction; return how many there were."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            following = first = self._position()
            portion, leaf = _Portion(), b""
            while following - first < PORTION and (rows := self._reader.rows(following)):
                for row in rows:
                    following, leaf = portion.add_row(row, following=following)
            if following > first:
                self._write(portion, following=following, leaf=leaf)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return following - first

    def _position(self) -> int:
        """Return the index of the first entry that is not taken in; raises `Stale` where the log is another one than before."""
        following, leaf = self._connection.execute("SELECT next, leaf FROM position").fetchone()
        if following and self._leaf(following - 1) != leaf:
            raise Stale
        return int(following)

    def _leaf(self, index: int) -> bytes:
        """Return an entry's leaf hash, or nothing where its row is damaged or not there."""
        row = self._reader.row_of(index)
        try:
            return row.cut()[index - row.first].leaf if row is not None else b""
        except ReadError:
            return b""

    def _write(self, portion: _Portion, *, following: int, leaf: bytes) -> None:
        execute = self._connection.executemany
        execute("INSERT INTO exchanges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", portion.exchanges.values())
        execute("UPDATE exchanges SET outcome = ?, last = ? WHERE begin = ?", portion.ends)
        execute("INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?, ?)", portion.notes)
        execute("INSERT OR IGNORE INTO damaged VALUES (?)", [(first,) for first in portion.damaged])
        self._connection.execute("UPDATE position SET next = ?, leaf = ?", (following, leaf))

    def _conditions(
        self, index: str, wanted: dict[str, str | None], *, filters: Filters, before: Place | None
    ) -> tuple[str, list[Any]]:
        """Return what must be so, as SQL and its values."""
        conditions = [f"{column} = ?" for column, value in wanted.items() if value is not None]
        values: list[Any] = [value for value in wanted.values() if value is not None]
        if before is not None:
            # Places are compared by time, then slot, then index; in this index all have one slot.
            if self._slot == before.slot:
                conditions += ["at <= ?", f"(at < ? OR {index} < ?)"]
                values += [before.at, before.at, before.entry]
            else:
                conditions.append("at <= ?" if self._slot < before.slot else "at < ?")
                values.append(before.at)
        conditions += ["at >= ?", "at < ?"]
        values += [filters.since or 0, FOREVER if filters.until is None else filters.until]
        return " AND ".join(conditions), values

    def _ask(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        return self._answering(lambda: self._connection.execute(query, parameters).fetchall())

    def _answering(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            if _is_damaged(error):
                raise Stale from error
            raise ReadError(f"{self._path}: {error}") from error


def _form(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _lay_out(connection: sqlite3.Connection) -> None:
    """Make the tables in place of those of another form, unless another process has just done so."""
    connection.execute("BEGIN IMMEDIATE")
    if _form(connection) != FORM:
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            connection.execute(f'DROP TABLE "{table}"')
        for statement in _TABLES:
            connection.execute(statement)
    connection.execute("COMMIT")


def _is_damaged(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED_CODES
