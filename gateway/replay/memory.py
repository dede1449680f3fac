"""Idempotency keys in the memory of one process: for one worker on one machine."""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import Unavailable
from gateway.replay import value as values

MAX_TOTAL_BYTES = 67_108_864
ENTRY_BYTES = 448
"""What a key costs beside its recording: name, value and their places, measured on CPython 3.11 and rounded up."""

SPENT_BYTES = 1 + values.FINGERPRINT_BYTES

RETRY_AFTER = 30.0

EXPIRED_AT_ONCE = 1_000
"""How many ends one call looks at, so that a long silence does not become one long pause."""


@dataclass(slots=True)
class _Entry:
    value: bytes
    expires: float

    @property
    def cost(self) -> int:
        return ENTRY_BYTES + len(self.value)

    @property
    def freeable(self) -> int:
        return len(self.value) - SPENT_BYTES


class MemoryStore:
    """Keeps at most `max_total_bytes`; see `gateway.replay.contract.Store`.

    For want of room the recordings that were asked for least recently go first, and leave their keys spent. Running claims and
    spent keys are never dropped before their time; when nothing but these is left, new keys are refused with `Unavailable`.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, max_total_bytes: int = MAX_TOTAL_BYTES) -> None:
        self._clock = clock
        self._max = max_total_bytes
        self._entries: dict[str, _Entry] = {}
        self._recordings: OrderedDict[str, None] = OrderedDict()
        self._ends: list[tuple[float, str]] = []
        self._freeable = 0
        self.total_bytes = 0

    async def take(self, name: str, value: bytes, *, ttl: float) -> bytes | None:
        """Put a value under a free name and return None, or return what is there."""
        found = self._found(name)
        if found is not None:
            if name in self._recordings:
                self._recordings.move_to_end(name)
            return found.value
        if not self._make_room(ENTRY_BYTES + len(value)):
            raise _full()
        self._set(name, value, ttl=ttl)
        return None

    async def put(self, name: str, value: bytes, *, owner: bytes, ttl: float) -> bool:
        """Put a value under a name that is free, or whose value begins with `owner`; where it does not fit, leave it spent."""
        found = self._found(name)
        if found is not None and not found.value.startswith(owner):
            return False
        self._remove(name)
        if not self._make_room(ENTRY_BYTES + len(value)):
            value = values.without_recording(value)
        self._set(name, value, ttl=ttl)
        return True

    async def drop(self, name: str, *, owner: bytes) -> None:
        """Free a name whose value begins with `owner`."""
        found = self._found(name)
        if found is not None and found.value.startswith(owner):
            self._remove(name)

    def _found(self, name: str) -> _Entry | None:
        """Return what stands under a name, after removing what has expired."""
        now = self._clock()
        for _ in range(EXPIRED_AT_ONCE):
            if not self._ends or self._ends[0][0] > now:
                break
            expires, expired = heapq.heappop(self._ends)
            entry = self._entries.get(expired)
            # A name that was dropped or put again since has a later end of its own.
            if entry is not None and entry.expires == expires:
                self._remove(expired)
        found = self._entries.get(name)
        if found is not None and found.expires <= now:
            self._remove(name)
            return None
        return found

    def _set(self, name: str, value: bytes, *, ttl: float) -> None:
        entry = self._entries[name] = _Entry(value, self._clock() + ttl)
        self.total_bytes += entry.cost
        heapq.heappush(self._ends, (entry.expires, name))
        if value.startswith(values.KEPT):
            self._recordings[name] = None
            self._freeable += entry.freeable

    def _remove(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self.total_bytes -= entry.cost
            if name in self._recordings:
                del self._recordings[name]
                self._freeable -= entry.freeable

    def _make_room(self, need: int) -> bool:
        """Return whether there is room, which recordings had to make; where even that would not do, they are left alone."""
        excess = self.total_bytes + need - self._max
        if excess > self._freeable:
            return False
        while excess > 0:
            name, _ = self._recordings.popitem(last=False)
            entry = self._entries[name]
            excess -= entry.freeable
            self.total_bytes -= entry.freeable
            self._freeable -= entry.freeable
            entry.value = values.without_recording(entry.value)
        return True


def _full() -> Unavailable:
    return Unavailable(
        "Too many idempotency keys are held; send the request without one, or later.",
        code="idempotency_unavailable",
        retry_after=RETRY_AFTER,
    )
