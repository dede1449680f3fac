"""The seams of the log: what it gives to those who enter something, and what it needs from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec import Struct

Condition = Literal["ok", "warning", "refusing"]
"""How the log stands: it takes everything; it does, but its disk fills; it refuses new exchanges."""


class Receipt(Struct, frozen=True, gc=False):
    """An entry is durable: its index in the log and its leaf hash (RFC 6962, section 2.1)."""

    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """An exchange's payload, encrypted: what a store of payloads makes durable.

    `blob` is the ciphertext (a view where it is large), `digest` its SHA-256 (32 bytes), `wrapped_key` the record's key under
    version `key_version` of the tenant's key, `day` the UTC day "2026-11-24" whose file takes the blob.
    """

    exchange_id: str
    tenant: str
    blob: bytes | memoryview
    wrapped_key: bytes
    key_version: int
    digest: bytes
    day: str


class PayloadStore(Protocol):
    """Where payloads and their wrapped keys go."""

    def write(self, sealed: Sequence[Sealed]) -> None:
        """Make all of these durable before it returns; called from one thread at a time, not always the same one.

        Raises `OSError` or `sqlite3.Error`: then the entries that came with them are not written either, their waiters are
        told so, and what did become durable stays behind unused. The next call may come soon after: the store itself sees
        to it that a failed file or connection is not used again.
        """


class Watcher(Protocol):
    """Whoever tells operators how the log is. Called on the event loop; neither waits nor raises."""

    def committed(self, entries: int, seconds: float) -> None:
        """Note that a batch became durable, and how long that took."""

    def failed(self, reason: str) -> None:
        """Note that the log failed or stalled; `reason` is a few fixed words. Waiters were told; it tries again by itself."""

    def recovered(self, abandoned: int) -> None:
        """Note that the log works again, and how many exchanges had to be given up as abandoned."""

    def filled(self, condition: Condition, percent: int) -> None:
        """Note that the disk under the log got fuller or emptier than a threshold: it is `percent` full."""


class Unwatched:
    """Tells nobody, as at the command line, where an error reaches the person who sits there."""

    def committed(self, entries: int, seconds: float) -> None:
        """Pass over it."""

    def failed(self, reason: str) -> None:
        """Pass over it."""

    def recovered(self, abandoned: int) -> None:
        """Pass over it."""

    def filled(self, condition: Condition, percent: int) -> None:
        """Pass over it."""
