"""Whether every payload that an end entry names is in the file of its day, whole and unchanged. No key is needed for that.

A crash leaves payloads that no entry names, and at a file's end a frame that is not whole: neither was ever acknowledged. A
payload of an exchange that has ended, and that its end does not name, is another matter.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from gateway.audit.entry import End
from gateway.audit.vault.frame import Piece, scan
from gateway.audit.vault.layout import payload_file, payloads_folder
from gateway.audit.verify.problem import Report

BUFFER: Final = 4096
"""Rows that are written to the temporary database at once."""
SUFFIX: Final = ".sealed"

_TABLE: Final = """
    CREATE TABLE ends (
        exchange BLOB PRIMARY KEY, entry INTEGER, day TEXT, digest BLOB, bytes INTEGER, found INTEGER DEFAULT 0
    ) WITHOUT ROWID
"""


class _End(NamedTuple):
    """What an end entry says of its payload; `day` is None where it has none."""

    entry: int
    day: str | None
    digest: bytes
    bytes: int


class Payloads:
    """The payloads of one log's slot; what end entries say lies in a temporary database on disk, however many they are."""

    def __init__(self, store: Path, slot: str, *, name: str, report: Report) -> None:
        self._store = store
        self._slot = slot
        self._name = name
        self._report = report
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(_TABLE)
        self._ends: list[tuple[bytes, int, str | None, bytes, int]] = []
        self._found: list[tuple[bytes]] = []
        self._tail: list[Piece] = []

    def end(self, entry: End, index: int, where: str) -> None:
        """Note what an end entry says of its payload."""
        payload = entry.payload
        try:
            exchange = _bytes(entry.id)
            if payload == "none":
                self._ends.append((exchange, index, None, b"", 0))
            else:
                payload_file(self._store, self._slot, day=payload.day)
                self._ends.append((exchange, index, payload.day, bytes.fromhex(payload.digest), payload.bytes))
        except ValueError:
            self._report.add("payload", where, "its id, or the day or digest of its payload, is none")
        if len(self._ends) >= BUFFER:
            self._flush()

    def check(self) -> None:
        """Look for all payloads that are named, and at all that are there."""
        self._flush()
        named = {day for (day,) in self._database.execute("SELECT DISTINCT day FROM ends WHERE day IS NOT NULL")}
        for day in sorted(named | set(self._days())):
            if self._check_day(day):
                self._flush()
                self._tell_missing(day)

    def close(self) -> None:
        """Forget what was noted."""
        self._database.close()

    def _days(self) -> Iterator[str]:
        folder = payloads_folder(self._store, self._slot)
        for path in folder.glob(f"*{SUFFIX}") if folder.is_dir() else ():
            day = path.name.removesuffix(SUFFIX)
            with contextlib.suppress(ValueError):
                payload_file(self._store, self._slot, day=day)
                yield day

    def _check_day(self, day: str) -> bool:
        """Look at one file; tell whether it could be read."""
        path = payload_file(self._store, self._slot, day=day)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._scan(day, handle)
            finally:
                os.close(handle)
        except OSError as error:
            count = self._database.execute("SELECT count(*) FROM ends WHERE day = ?", (day,)).fetchone()[0]
            detail = f"it cannot be read, and {count} end entries name payloads in it: {error.strerror}"
            self._report.add("payload", self._where(day), detail)
            return False
        return True

    def _scan(self, day: str, handle: int) -> None:
        self._tail = []
        for piece in scan(partial(_read, handle), 0, os.fstat(handle).st_size, contents=True):
            end = self._lookup(piece.exchange) if piece.exchange else None
            if piece.damage and end is None:
                self._tail.append(piece)
                continue
            self._tell_broken(day)  # with something behind it, it is not the end that a crash cut short
            if end is not None:
                self._compare(day, piece, end)
                self._found.append((piece.exchange,))
            if len(self._found) >= BUFFER:
                self._flush()

    def _compare(self, day: str, piece: Piece, end: _End) -> None:
        if piece.damage:
            self._tell(day, piece, piece.damage)
        elif (end.day, end.digest) != (day, piece.digest):
            self._tell(day, piece, f"it is not what entry {end.entry}, the end of its exchange, names")
        elif piece.end - piece.blob_at != end.bytes:
            self._tell(day, piece, f"it has {piece.end - piece.blob_at} bytes, and entry {end.entry} says {end.bytes}")

    def _tell_missing(self, day: str) -> None:
        query = "SELECT exchange, entry FROM ends WHERE day = ? AND found = 0 ORDER BY entry"
        with closing(self._database.execute(query, (day,))) as rows:
            for exchange, entry in rows:
                self._tell_broken(day)  # what is missing may have been there
                where = f"{self._name}: entry {entry}, exchange {_id(exchange)}"
                self._report.add("payload", where, f"its payload is not in {self._where(day)}")

    def _tell_broken(self, day: str) -> None:
        for piece in self._tail:
            self._tell(day, piece, piece.damage)
        self._tail = []

    def _tell(self, day: str, piece: Piece, detail: str) -> None:
        exchange = f", exchange {_id(piece.exchange)}" if piece.exchange else ""
        self._report.add("payload", f"{self._where(day)}: bytes {piece.at} to {piece.end - 1}{exchange}", detail)

    def _lookup(self, exchange: bytes) -> _End | None:
        row = self._database.execute("SELECT entry, day, digest, bytes FROM ends WHERE exchange = ?", (exchange,)).fetchone()
        return None if row is None else _End(*row)

    def _flush(self) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO ends (exchange, entry, day, digest, bytes) VALUES (?, ?, ?, ?, ?)", self._ends
        )
        self._database.executemany("UPDATE ends SET found = 1 WHERE exchange = ?", self._found)
        self._ends.clear()
        self._found.clear()

    def _where(self, day: str) -> str:
        return f"payloads/{self._slot}/{day}{SUFFIX}"


def _read(handle: int, at: int, most: int) -> bytes:
    return os.pread(handle, most, at)


def _bytes(exchange_id: str) -> bytes:
    """Return the 16 bytes of an exchange's id; raises `ValueError` for what is none."""
    data = bytes.fromhex(exchange_id.replace("-", ""))
    if _id(data) != exchange_id:
        raise ValueError("not an id in its one form")
    return data


def _id(exchange: bytes) -> str:
    text = exchange.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
