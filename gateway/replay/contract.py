"""Idempotency keys: what the pipeline sees of them, and the seam below, to where they are kept.

A key of a tenant is in one of these states, each of which ends after its time:

    free      nobody asked with it; the next request claims it
    running   claimed; until it is kept or released, or its lease ends because the process that held it is gone
    kept      answered; a repeat gets the recording, for the whole of its time to live
    spent     answered, but the answer is not here (too large, or made room for others); a repeat is refused, since running
              it again would charge it twice

Invariants
- Of any number of concurrent claims of a free key exactly one wins.
- What has been answered completely is never run again within its time to live: not by a repeat, not by one with another body,
  not for want of room.
- Names of keys are keyed digests: who reads the store learns neither tenants nor keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Protocol, Self

from gateway.wire.answer import Body

Kept = Literal["kept", "too_large", "lost", "unavailable"]
"""What became of a recording: a repeat gets it, while the store has room; a repeat is refused, for it is too large; the lease had
ended and another request holds the key; the store did not answer, so that a repeat is refused until the lease ends."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A complete answer: the batches of bodies as the pipeline yielded them, and small facts such as route and upstream."""

    batches: list[list[Body]]
    facts: dict[str, str] = field(default_factory=dict)


class Claim(Protocol):
    """The right to run a request; as a context it is released on every way out but after `keep`, so that a retry may run."""

    async def keep(self, recording: Recording) -> Kept:
        """Keep a complete answer for repeats; to be called once, when the answer is complete and before its last byte is out.

        It never raises: the request has run and its answer must go out, whatever becomes of the recording. The claim is not
        released any more, not even where the recording could not be kept.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Replays(Protocol):
    """Idempotency keys of all tenants."""

    async def claim(self, tenant: str, key: str, *, fingerprint: bytes, lease: float) -> Claim | Recording:
        """Return the right to run a request, or the answer that its first run gave.

        `fingerprint` stands for everything of the request that shapes its answer; `lease` is in seconds and longer than the
        request may run. Raises `InvalidRequest` for a key that is malformed or was used with another fingerprint, `Conflict`
        while the first request runs (with `retry_after`) and when its answer is not here (without), `Unavailable` when the
        store does not answer or is full.
        """


class Store(Protocol):
    """Where keys are kept: values under names, each with its time to live in seconds. Raises `Unavailable`."""

    async def take(self, name: str, value: bytes, *, ttl: float) -> bytes | None:
        """Put a value under a free name and return None, or return what is there; atomically."""

    async def put(self, name: str, value: bytes, *, owner: bytes, ttl: float) -> bool:
        """Put a value under a name that is free, or whose value begins with `owner`; return whether it was; atomically."""

    async def drop(self, name: str, *, owner: bytes) -> None:
        """Free a name whose value begins with `owner`; atomically."""
