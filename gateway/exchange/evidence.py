"""What went through an exchange, byte for byte: what the log commits to and, where payloads are kept, seals."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field


class Part:
    """Bytes that went one way, hashed once as they go, and kept."""

    __slots__ = ("_hash", "_kept", "size")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._kept: list[bytes] | None = []
        self.size = 0

    def forget(self) -> None:
        """Keep nothing, but for size and digest."""
        self._kept = None

    def add(self, data: bytes) -> None:
        """Take what goes next."""
        self._hash.update(data)
        self.size += len(data)
        if self._kept is not None:
            self._kept.append(data)

    @property
    def digest(self) -> bytes:
        """SHA-256 of all that went so far."""
        return self._hash.digest()

    @property
    def data(self) -> bytes:
        """All that went so far; empty where it is not kept."""
        return b"".join(self._kept or ())


@dataclass(slots=True)
class Attempt:
    """One dispatch to an upstream; times are in nanoseconds of `time.perf_counter_ns`.

    `sent` is the body as sent, `status` the upstream's HTTP status (0 where none came), `response_id` its own id of the answer.
    """

    upstream: str
    model: str
    started: int = field(default_factory=time.perf_counter_ns)
    ended: int = 0
    sent: bytes = b""
    status: int = 0
    error: str = ""
    reason: str = ""
    response_id: str = ""


class Evidence:
    """The request as received, every attempt, the answer as it came and as it was delivered."""

    __slots__ = ("answer", "attempts", "delivered", "received")

    def __init__(self) -> None:
        self.received = b""
        self.attempts: list[Attempt] = []
        self.answer = Part()
        self.delivered = Part()

    def forget(self) -> None:
        """Keep neither answer nor delivery, because nothing will be stored of them."""
        self.answer.forget()
        self.delivered.forget()

    def attempt(self, upstream: str, model: str) -> Attempt:
        """Begin an attempt."""
        attempt = Attempt(upstream, model)
        self.attempts.append(attempt)
        return attempt
