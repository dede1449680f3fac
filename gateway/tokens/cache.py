"""Counts of texts that were counted before: histories and documents come again with every turn."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock

from gateway.tokens.contract import Count

SHORTEST = 64
"""Characters: a shorter text is counted anew about as fast as it is found."""

LONGEST = 262_144
"""Characters: the digest of a longer text would take longer than the event loop may wait."""

ENTRY_BYTES = 384
"""What one count takes: digest, number and their places in the table."""

CACHE_BYTES = 8_388_608


def digest(text: bytes) -> bytes:
    """Return the key under which a text's count is kept: 128 bits, so that nobody makes two texts with one key."""
    return hashlib.blake2b(text, digest_size=16).digest()


class CountCache:
    """Remembers the latest counts by digest, never a text; takes about `max_bytes` of memory. Safe between threads."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._entries = max(1, max_bytes // ENTRY_BYTES)
        self._counts: OrderedDict[bytes, Count] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def get(self, key: bytes) -> Count | None:
        """Return a count, and keep it longer; None where there is none."""
        with self._lock:
            count = self._counts.get(key)
            if count is not None:
                self._counts.move_to_end(key)
            return count

    def put(self, key: bytes, count: Count) -> None:
        """Remember a count, and forget the one that was not asked for the longest."""
        with self._lock:
            self._counts[key] = count
            self._counts.move_to_end(key)
            if len(self._counts) > self._entries:
                self._counts.popitem(last=False)
