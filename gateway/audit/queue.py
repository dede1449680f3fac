"""What waits to become durable: it gives entries their indices and knows which exchanges are open.

Invariants
- Indices are contiguous from the log's beginning, in the order of `enter`.
- An exchange has one begin and then one end or `abandoned`; an end, attempt or `abandoned` for an exchange that is not open is
  refused, so that an entry never points at a begin that was lost.
- A batch is handed over with every entry made; one that cannot be made leaves its bare form, never a hole.
- After a failure nothing that waited is written: its indices begin anew at the true end of what is on the disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

import msgspec

from gateway.audit.batch import RETRY_SOON, Batch, Draft, Pending, Stall, unavailable
from gateway.audit.canonical import EntryError, encode
from gateway.audit.contract import Sealed
from gateway.audit.entry import Abandoned, Attempt, Begin, Dispatch, End, Entry
from gateway.audit.merkle import leaf_hash

BATCH: Final = 512
"""Entries that become durable together at most."""
ROW: Final = 64
"""Drafts that are made in a row: 2 ms of the event loop's time."""
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
        if isinstance(entry, (End, Attempt, Abandoned)):
            self._check_open(entry.id, entry.begin)
        try:
            data = encode(entry)
        except EntryError:
            self.give_up(entry)
            raise
        batch = self._with_room()
        index = batch.following
        leaf = leaf_hash(data)
        before = batch.size
        batch.add(data, leaf, sealed=sealed, undo=undo)
        self.size += batch.size - before
        self.length += 1
        begin = isinstance(entry, Begin)
        if isinstance(entry, Begin):
            self._opens(entry.id, index, batch=batch)
        elif isinstance(entry, (End, Abandoned)):
            self._closes(entry.id)
        return Pending(batch, index, leaf_hash=leaf, begin=begin)

    def plan(self, draft: Draft) -> Pending:
        """Queue a begin or end that is made when its batch is handed over; raises `Unavailable` as `enter` does."""
        if draft.begin is not None:
            self._check_open(draft.exchange, draft.begin)
        batch = self._with_room()
        pending = batch.plan(draft)
        self.size += draft.weight
        self.length += 1
        if draft.begin is None:
            self._opens(draft.exchange, pending.index, batch=batch)
        else:
            self._closes(draft.exchange)
        if len(batch.drafts) >= ROW:
            _make(batch)
        return pending

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

    def give_up(self, entry: Entry | Draft) -> None:
        """Note that an exchange gets no end, since the entry that was to be its end could not be queued."""
        exchange = entry.exchange if isinstance(entry, Draft) else entry.id if isinstance(entry, End) else ""
        if isinstance(entry, (Draft, End)) and entry.begin is not None and self._open.get(exchange) == entry.begin:
            self._orphans[exchange] = "assumed"

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
        _make(batch)
        following = batch.following
        if following - self._snapshot_at >= SNAPSHOT:
            batch.open = msgspec.json.encode(self._open)
            self._snapshot_at = following
        self._batches.append(batch)
        self._filling = Batch(following, self._stall)

    def _with_room(self) -> Batch:
        if self._filling.count >= BATCH:
            self._close_filling()
        return self._filling

    def _check_open(self, exchange: str, begin: int) -> None:
        if self._open.get(exchange) != begin:
            raise unavailable("its begin was lost", retry_after=RETRY_SOON)

    def _opens(self, exchange: str, index: int, *, batch: Batch) -> None:
        self._open[exchange] = index
        batch.begun.append(exchange)

    def _closes(self, exchange: str) -> None:
        del self._open[exchange]
        self._orphans.pop(exchange, None)


def _make(batch: Batch) -> None:
    """Make all drafts of a batch."""
    for place, draft, pending in batch.drafts:
        try:
            entry, sealed = draft.make()
            data = encode(entry)
        except Exception as error:  # noqa: BLE001  # whatever it is, indices must have no hole, and the others no harm
            pending.fault = error
            data, sealed = encode(draft.bare()), None
        batch.entries[place] = data
        batch.leaves[place] = pending.leaf_hash = leaf_hash(data)
        if sealed is not None:
            batch.sealed.append(sealed)
    batch.drafts.clear()
