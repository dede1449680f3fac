"""Whether every exchange is one begin, its attempts and one end. Pure; it keeps the open exchanges only.

What could not be read is passed over: an exchange whose begin or end may have stood there is not held against the log again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.audit.entry import MOST_ITEMS, Abandoned, Attempt, Begin, End, Entry


@dataclass(slots=True)
class _Open:
    begin: int
    mono: int
    dispatches: int = 1
    doubtful: bool = False


class Exchanges:
    """Follows the exchanges of one log, entry by entry, and says what is wrong in sentences."""

    def __init__(self) -> None:
        self.begun = 0
        self._open: dict[str, _Open] = {}
        self._lost: list[range] = []

    @property
    def open(self) -> dict[str, int]:
        """The exchanges that are open, with the index of their begin."""
        return {exchange: known.begin for exchange, known in self._open.items()}

    @property
    def doubtful(self) -> bool:
        """Whether something could not be read, so that an exchange may seem open which is not, or the reverse."""
        return bool(self._lost)

    def lose(self, entries: range) -> None:
        """Note that these entries cannot be read."""
        self._lost.append(entries)
        for known in self._open.values():
            known.doubtful = True

    def unended(self) -> list[tuple[str, int]]:
        """Return the exchanges that have surely neither ended nor been abandoned, with the index of their begin."""
        return [(exchange, known.begin) for exchange, known in self._open.items() if not known.doubtful]

    def feed(self, index: int, entry: Entry) -> Iterator[str]:
        """Take in the next entry; its problems must be read out."""
        match entry:
            case Begin():
                self.begun += 1
                if entry.id in self._open:
                    yield f"the exchange begins again, having begun at entry {self._open[entry.id].begin}"
                self._open[entry.id] = _Open(index, entry.mono)
            case Attempt():
                yield from self._attempt(entry)
            case End():
                yield from self._end(entry)
            case Abandoned():
                yield from self._known(entry)
                self._open.pop(entry.id, None)

    def _attempt(self, entry: Attempt) -> Iterator[str]:
        yield from self._known(entry)
        known = self._open.get(entry.id)
        if known is not None:
            known.dispatches += 1
            if entry.number != known.dispatches and not known.doubtful:
                yield f"attempt {entry.number} comes where attempt {known.dispatches} should"

    def _end(self, entry: End) -> Iterator[str]:
        yield from self._known(entry)
        yield from _totals(entry)
        known = self._open.pop(entry.id, None)
        if known is None:
            return
        if entry.attempts_total > known.dispatches and not known.doubtful:
            yield f"{entry.attempts_total} dispatches, of which {known.dispatches} were entered before they were sent"
        if entry.mono < known.mono:
            yield f"it ends {known.mono - entry.mono} µs before it began"

    def _known(self, entry: Attempt | End | Abandoned) -> Iterator[str]:
        """Say what is wrong with the begin that an entry points at."""
        known = self._open.get(entry.id)
        if any(entry.begin in lost for lost in self._lost):
            return
        if known is None:
            yield f"no exchange of that id is open: its begin, said to be entry {entry.begin}, is missing or has ended already"
        elif known.begin != entry.begin:
            yield f"its begin is said to be entry {entry.begin}, and is entry {known.begin}"


def _totals(entry: End) -> Iterator[str]:
    lists = (
        ("attempts", entry.attempts, entry.attempts_total),
        ("finish reasons", entry.finish_reasons, entry.finish_reasons_total),
    )
    for name, items, total in lists:
        if total < len(items) or (total > len(items) and len(items) < MOST_ITEMS):
            yield f"{len(items)} {name} stand there, {total} are counted"
