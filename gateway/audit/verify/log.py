"""One log, read from its first entry to its last, and everything held against everything that can be known of it offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.audit.canonical import EntryError, decode, encode, is_canonical
from gateway.audit.entry import End, Entry
from gateway.audit.layout import is_slot
from gateway.audit.reader import Reader, ReadError, Row, Stored
from gateway.audit.verify.boots import Boots
from gateway.audit.verify.exchanges import Exchanges
from gateway.audit.verify.problem import Report
from gateway.audit.verify.rows import Unreadable, rows

Ended = Callable[[End, int, str], None]
"""Told of each end entry, its index, and what a problem would call it."""


class Log:
    """Reads one log and adds to a report. `name` is what its problems call it; `now` is in microseconds since 1970."""

    def __init__(self, folder: Path, name: str, *, report: Report, now: int, ended: Ended) -> None:
        self._name = name
        self._report = report
        self._ended = ended
        self._slot = folder.name if is_slot(folder.name) else None
        self._exchanges = Exchanges()
        self._boots = Boots(self._slot, now=now)
        self._following = 0
        self._sure = True

    def read(self, reader: Reader, *, running: bool) -> None:
        """Read all of it; `running` says that a process writes to it, so that exchanges may be open at its end."""
        for each in rows(reader):
            if isinstance(each, Unreadable):
                self._unreadable(each)
            else:
                self._row(each)
        if self._following == 0 and not running and self._sure:
            self._report.add("missing", self._name, "the log has no entries, not even its first")
        if not running:
            for exchange, begin in self._exchanges.unended():
                self._report.add(
                    "exchange",
                    f"{self._name}: entry {begin}, exchange {exchange}",
                    "it has neither ended nor been abandoned, and nobody writes to the log: start the gateway, which abandons it",
                )

    def _unreadable(self, gap: Unreadable) -> None:
        first = max(gap.first, self._following)
        end = "on" if gap.following is None else f"to {gap.following - 1}"
        self._report.add("database", f"{self._name}: entries from {first} {end}", f"cannot be read: {gap.detail}")
        self._lose(first, first + 1 if gap.following is None else gap.following)
        self._sure = False

    def _row(self, row: Row) -> None:
        if row.first != self._following and self._sure:
            self._report.add(
                "missing", f"{self._name}: row {row.first}", f"entries from {self._following} to {row.first - 1} are missing"
            )
            self._lose(self._following, row.first)
        try:
            entries = row.cut()
        except ReadError as error:
            self._report.add("row", f"{self._name}: row {row.first}", str(error))
            self._lose(row.first, row.first + 1)
            self._sure = False  # how many entries it held is not known
            return
        if not self._sure:
            self._lose(min(self._following, row.first), row.first)
            self._sure = True
        for stored in entries:
            self._entry(stored, row=row.first)
        self._following = row.first + len(entries)
        self._snapshot(row)

    def _entry(self, stored: Stored, *, row: int) -> None:
        self._report.entries += 1
        where = f"{self._name}: row {row}, entry {stored.index}"
        if not stored.intact:
            self._report.add("leaf", where, "it is not what its leaf hash was made of: one of the two was changed")
            self._lose(stored.index, stored.index + 1)
            return
        try:
            entry = decode(stored.data)
        except EntryError as error:
            self._report.add("form", where, f"it is no entry that this program knows: {error}")
            self._lose(stored.index, stored.index + 1)
            return
        exchange = getattr(entry, "id", None)
        self._check(stored, entry, where=where if exchange is None else f"{where}, exchange {exchange}")

    def _check(self, stored: Stored, entry: Entry, *, where: str) -> None:
        if not _is_canonical(stored.data, entry):
            self._report.add("form", where, "it is not in its canonical form")
        open_exchanges = None if self._exchanges.doubtful else len(self._exchanges.open)
        for kind, detail in self._boots.feed(stored.index, entry, open_exchanges=open_exchanges):
            self._report.add(kind, where, detail)
        begun = self._exchanges.begun
        for detail in self._exchanges.feed(stored.index, entry):
            self._report.add("exchange", where, detail)
        self._report.exchanges += self._exchanges.begun - begun
        if isinstance(entry, End):
            self._ended(entry, stored.index, where)

    def _snapshot(self, row: Row) -> None:
        """Check the list of open exchanges that some rows carry for the next start."""
        if row.open is None or self._exchanges.doubtful:
            return
        try:
            told = msgspec.json.decode(row.open, type=dict[str, int]) if isinstance(row.open, bytes) else None
        except (msgspec.MsgspecError, UnicodeError):
            told = None
        if told != self._exchanges.open:
            self._report.add("row", f"{self._name}: row {row.first}", "its list of open exchanges is not that of the log")

    def _lose(self, first: int, following: int) -> None:
        self._exchanges.lose(range(first, following))
        self._boots.lose()
        self._following = max(self._following, following)


def _is_canonical(data: bytes, entry: Entry) -> bool:
    """Tell whether an entry's bytes are its canonical form; where it has fields of a later version, whatever they mean."""
    try:
        return encode(entry) == data or is_canonical(data)
    except EntryError:
        return False
