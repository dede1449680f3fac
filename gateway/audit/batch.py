"""Entries that become durable together, and those who wait for them. All of it belongs to the event loop's thread.

The writer's thread only reads what a batch carries, and only once the loop has handed the batch over and no longer adds to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from gateway.audit.contract import Receipt, Sealed
from gateway.audit.entry import Entry
from gateway.errors import Unavailable

MESSAGE: Final = "The audit log cannot take this exchange right now. Try again later."
RETRY_SOON: Final = 1.0
"""Seconds after which it may work again when too much waits."""
RETRY_LATER: Final = 5.0
"""Seconds after which it may work again when the log has failed."""
LOST: Final = "lost with others"
STALLED: Final = "the disk stalls"


class Stall:
    """Whose waiting is over, in all batches at once, because a write takes too long: nobody's, that of begins, or everyone's."""

    __slots__ = ("whom",)

    def __init__(self) -> None:
        self.whom: Literal["nobody", "begins", "everyone"] = "nobody"


def unavailable(reason: str, *, retry_after: float = RETRY_LATER) -> Unavailable:
    """Return the error for whoever relies on the log; `reason` is a few fixed words for the operator."""
    return Unavailable(MESSAGE, code="audit_unavailable", retry_after=retry_after, reason=f"audit: {reason}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A begin or end that has its place in the log and gets its bytes when its batch is handed over.

    What runs in a row, for all exchanges of a batch, costs two thirds of what runs between other things. `exchange` is its id,
    `begin` the index of its begin, None for a begin itself; `weight` the bytes that it keeps in memory. `make` returns the entry
    and its payload; where it fails, `bare` stands in its place, and whoever waits is told of the failure.
    """

    exchange: str
    begin: int | None
    weight: int
    make: Callable[[], tuple[Entry, Sealed | None]]
    bare: Callable[[], Entry]


class Batch:
    """Contiguous entries from `first` on: their bytes, leaf hashes and payloads, and `open`, the begins without end after them.

    `size` is in bytes; `begun` are the exchanges whose begin is in it, `drafts` the entries that still are to be made, each with
    its place and with whoever waits for it.
    """

    __slots__ = (
        "_begins",
        "_others",
        "_stall",
        "_undo",
        "begun",
        "count",
        "drafts",
        "entries",
        "first",
        "leaves",
        "open",
        "sealed",
        "size",
        "state",
    )

    def __init__(self, first: int, stall: Stall) -> None:
        self.first = first
        self.count = 0
        self.size = 0
        self.entries: list[bytes] = []
        self.leaves: list[bytes] = []
        self.sealed: list[Sealed] = []
        self.drafts: list[tuple[int, Draft, Pending]] = []
        self.open: bytes | None = None
        self.begun: list[str] = []
        self.state: Literal["queued", "durable", "lost"] = "queued"
        self._undo: list[Callable[[], None]] = []
        self._stall = stall
        self._begins: list[asyncio.Future[None]] = []
        self._others: list[asyncio.Future[None]] = []

    @property
    def following(self) -> int:
        """The index after its last entry."""
        return self.first + self.count

    def add(self, entry: bytes, leaf: bytes, *, sealed: Sealed | None, undo: Callable[[], None] | None) -> None:
        """Add an entry, its payload, and what to do when the entry turns out to be lost."""
        self.entries.append(entry)
        self.leaves.append(leaf)
        self.count += 1
        self.size += len(entry)
        if sealed is not None:
            self.sealed.append(sealed)
            self.size += len(sealed.blob)
        if undo is not None:
            self._undo.append(undo)

    def plan(self, draft: Draft) -> Pending:
        """Add an entry that is yet to be made."""
        pending = Pending(self, self.following, begin=draft.begin is None)
        self.drafts.append((self.count, draft, pending))
        self.entries.append(b"")
        self.leaves.append(b"")
        self.count += 1
        self.size += draft.weight
        return pending

    def wait(self, *, begin: bool) -> asyncio.Future[None]:
        """Return what is done when the batch is durable; raises `Unavailable` where waiting for it is over."""
        if self.state == "lost":
            raise unavailable(LOST)
        if self._stall.whom == "everyone" or (begin and self._stall.whom == "begins"):
            raise unavailable(STALLED)
        future = asyncio.get_running_loop().create_future()
        (self._begins if begin else self._others).append(future)
        return future

    def succeed(self) -> None:
        """Wake everyone who waits: the batch is durable."""
        self.state = "durable"
        for future in (*self._begins, *self._others):
            if not future.done():  # its task was cancelled
                future.set_result(None)
        self._free()

    def fail(self, reason: str) -> None:
        """Tell everyone who waits, and who will, that the batch counts as not written."""
        self.state = "lost"
        _tell((*self._begins, *self._others), reason)
        self._free()

    def undo(self) -> None:
        """Take back what its entries told of: they are surely not on the disk."""
        for each in self._undo:
            each()

    def turn_away(self) -> None:
        """Tell those whose waiting is over; the batch may become durable all the same."""
        _tell(self._begins if self._stall.whom == "begins" else (*self._begins, *self._others), STALLED)

    def _free(self) -> None:
        """Let go of what is no longer needed: whoever keeps a `Pending` keeps its batch."""
        self.entries, self.leaves, self.sealed, self.drafts = [], [], [], []
        self._begins, self._others = [], []


def _tell(waiters: Iterable[asyncio.Future[None]], reason: str) -> None:
    for future in waiters:
        if not future.done():
            future.set_exception(unavailable(reason))


class Pending:
    """An entry on its way to the disk; `index` is known at once, and holds if awaiting it does not raise.

    Awaiting gives its `Receipt` when it is durable. Awaiting may be skipped, and may be cancelled: the entry is written all
    the same. Raises `Unavailable` (code `audit_unavailable`, with `retry_after`) when it could not be made durable, or not in
    time: then it counts as not written, though it may be found in the log. Raises what kept a draft from being made, once its
    bare form is durable. `leaf_hash` is set when the entry is made.
    """

    __slots__ = ("_batch", "_begin", "fault", "index", "leaf_hash")

    def __init__(self, batch: Batch, index: int, *, leaf_hash: bytes = b"", begin: bool) -> None:
        self.index = index
        self.leaf_hash = leaf_hash
        self.fault: Exception | None = None
        self._batch = batch
        self._begin = begin

    def __await__(self) -> Generator[object, None, Receipt]:
        """Wait until the entry is durable."""
        if self._batch.state != "durable":
            yield from self._batch.wait(begin=self._begin).__await__()
        if self.fault is not None:
            raise self.fault
        return Receipt(self.index, self.leaf_hash)
