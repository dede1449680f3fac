"""What waits to become durable: it gives entries their indices and knows which exchanges are open.

Invariants
- Indices are contiguous from the log's beginning, in the order of `enter`.
- An exchange has one begin and then one end or `abandoned`; an end, attempt or `abandoned` for an exchange that is not open is
  refused, so that an entry never points at a begin that was lost.
- After a failure nothing that waited is written: its indices begin anew at the true end of what is on the disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

import msgspec

from gateway.audit.batch import RETRY_SOON, Batch, Pending, Stall, unavailable
from gateway.audit.canonical import EntryError, encode
from gateway.audit.contract import Sealed
from gateway.audit.entry import Abandoned, Attempt, Begin, Dispatch, End, Entry
from gateway.audit.merkle import leaf_hash

BATCH: Final = 512
"""Entries that become durable together at most."""
SNAPSHOT: Final = 4096
"""Entries after which a batch carries the list of open exchanges: what a start has to read is no more than about as many."""


class Orphan(NamedTuple):
    """An exchange whose end will not come: its begin, and whether it may have been dispatched."""

    id: str
    begin: int
    dispatch: Dispatch


class Queue:
    """Batches in the making. `length` and `size` count what is not yet durable, in entries and bytes."""

    def __init__(self, first: int, open_begins: Mapping[str, int], *, stall: Stall) -> None:
        self.length = 0
        self.size = 0
        self._stall = stall
        self._open = dict(open_begins)
        self._orphans: dict[str, Dispatch] = {}
        self._batches: deque[Batch] = deque()
        self._filling = Batch(first, stall)
        self._snapshot_at = first - SNAPSHOT  # the first batch carries one

    @property
    def next(self) -> int:
        """The index that the next entry gets."""
        return self._filling.following

    @property
    def open(self) -> int:
        """How many exchanges are open."""
        return len(self._open)

    def enter(self, entry: Entry, sealed: Sealed | None = None, *, undo: Callable[[], None] | None = None) -> Pending:
        """Queue an entry and its payload; `undo` is called when the entry turns out to be lost.

        Raises `Unavailable` for an entry whose begin was lost or has ended, `EntryError` for one that is none.
        """
        if isinstance(entry, (End, Attempt, Abandoned)) and self._open.get(entry.id) != entry.begin:
            raise unavailable("its begin was lost", retry_after=RETRY_SOON)
        try:
            data = encode(entry)
        except EntryError:
            self.give_up(entry)
            raise
        if self._filling.count >= BATCH:
            self._close_filling()
        batch = self._filling
        index = batch.following
        leaf = leaf_hash(data)
        before = batch.size
        batch.add(data, leaf, sealed=sealed, undo=undo)
        self.size += batch.size - before
        self.length += 1
        begin = self._note(entry, index, batch=batch)
        return Pending(batch, index, leaf_hash=leaf, begin=begin)

    def newest(self) -> Batch | None:
        """Return the batch whose entries become durable last, or None where nothing waits to be taken."""
        if self._filling.count:
            return self._filling
        return self._batches[-1] if self._batches else None

    def swap(self) -> Batch | None:
        """Take the oldest batch for writing, or None where nothing waits."""
        if not self._batches:
            if not self._filling.count:
                return None
            self._close_filling()
        return self._batches.popleft()

    def settle(self, batch: Batch) -> None:
        """Count a batch that was taken as written."""
        self.length -= batch.count
        self.size -= batch.size

    def give_up(self, entry: Entry) -> None:
        """Note that an exchange gets no end, since the entry that was to be its end could not be queued."""
        if isinstance(entry, End) and self._open.get(entry.id) == entry.begin:
            self._orphans[entry.id] = "assumed"

    def orphans(self) -> list[Orphan]:
        """Return the open exchanges that nobody will end, to be entered as `abandoned`."""
        return [Orphan(exchange, self._open[exchange], dispatch) for exchange, dispatch in self._orphans.items()]

    def turn_away(self) -> None:
        """Tell those whose waiting is over because a write stalls; their entries stay queued."""
        for batch in (*self._batches, self._filling):
            batch.turn_away()

    def drop(self, reason: str) -> None:
        """Lose all that waits, after a failure: its waiters are told, what it told is to be told again."""
        for batch in (*self._batches, self._filling):
            self.lose(batch, reason)
            batch.undo()
        self._batches.clear()
        self._filling = Batch(self._filling.first, self._stall)
        self.length = 0
        self.size = 0

    def lose(self, batch: Batch, reason: str) -> None:
        """Fail a batch's waiters; the exchanges that it began are open no more, unless the disk says so (`restart`)."""
        batch.fail(reason)
        for exchange in batch.begun:
            self._open.pop(exchange, None)
            self._orphans.pop(exchange, None)

    def restart(self, first: int, on_disk: Mapping[str, int], *, undispatched: Collection[str]) -> None:
        """Begin anew at the disk's true end; what is open there and was not alive here becomes an orphan.

        `undispatched` are exchanges whose begin was refused to its waiter, and which the disk may hold nevertheless.
        """
        alive = self._open.keys() - self._orphans.keys()
        self._open = dict(on_disk)
        self._orphans = {
            exchange: "none" if exchange in undispatched else "assumed" for exchange in on_disk if exchange not in alive
        }
        self._filling = Batch(first, self._stall)
        self._snapshot_at = first - SNAPSHOT

    def _close_filling(self) -> None:
        batch = self._filling
        following = batch.following
        if following - self._snapshot_at >= SNAPSHOT:
            batch.open = msgspec.json.encode(self._open)
            self._snapshot_at = following
        self._batches.append(batch)
        self._filling = Batch(following, self._stall)

    def _note(self, entry: Entry, index: int, *, batch: Batch) -> bool:
        """Note what an entry changes about open exchanges, and return whether it is a begin."""
        if isinstance(entry, Begin):
            self._open[entry.id] = index
            batch.begun.append(entry.id)
            return True
        if isinstance(entry, (End, Abandoned)):
            del self._open[entry.id]
            self._orphans.pop(entry.id, None)
        return False
