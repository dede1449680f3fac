"""A log's rows in order, also those of a database that is damaged: what can be read is read, what cannot is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.audit.reader import ROWS, Reader, ReadError, Row


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Rows that SQLite cannot read: those of entries from `first` on, before `following`, to the end where that is None."""

    first: int
    following: int | None
    detail: str


def rows(reader: Reader) -> Iterator[Row | Unreadable]:
    """Yield every row that is there now, each with a first entry after that of the one before; it ends where the log does."""
    following, most = 0, ROWS
    while True:
        try:
            found = reader.rows(following, most=most)
        except ReadError as error:
            if most > 1:
                most = 1  # one of them
                continue
            gap = _gap(reader, following, str(error))
            yield gap
            if gap.following is None:
                return
            following = gap.following
            continue
        if not found:
            return
        for row in found:
            if row.first < following:  # a damaged tree that goes in circles
                yield Unreadable(following, None, "the rows are not in the order of their entries")
                return
            yield row
            following = row.first + 1
        most = ROWS


def _gap(reader: Reader, first: int, detail: str) -> Unreadable:
    """Return what cannot be read from `first` on: up to the next row that can, which is looked for further and further away."""
    try:
        last = reader.last()
    except ReadError:
        last = None
    if last is None:
        return Unreadable(first, None, detail)
    failing, step = first, 1
    while failing + step <= last and not _readable(reader, failing + step):
        failing, step = failing + step, step * 2
    if failing + step > last and not _readable(reader, last):
        return Unreadable(first, None, detail)
    low, high = failing, min(failing + step, last)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _readable(reader, middle) else (middle, high)
    return Unreadable(first, high, detail)


def _readable(reader: Reader, first: int) -> bool:
    try:
        return bool(reader.rows(first, most=1))
    except ReadError:
        return False
