"""Takes down an answer while it is delivered, for those who ask again with the same key."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from gateway.exchange.exchange import Exchange
from gateway.replay.contract import Claim, Recording
from gateway.wire.answer import Body


class Watcher(Protocol):
    """Whoever counts and logs answers that are not there for a repeat."""

    def unkept(self, exchange: Exchange, reason: str) -> None:
        """Note that the exchange's answer could not be kept for repeats with its idempotency key."""


class Recorder:
    """Records under a claim; without one (the request has no idempotency key) it does nothing.

    As a context it gives the claim back unless the answer was kept.
    """

    __slots__ = ("_batches", "_claim", "_exchange", "_watcher")

    def __init__(self, claim: Claim | None, exchange: Exchange, *, watcher: Watcher) -> None:
        self._claim = claim
        self._exchange = exchange
        self._watcher = watcher
        self._batches: list[list[Body]] = []

    def note(self, bodies: list[Body]) -> None:
        """Take down one batch as it was delivered; of an empty one nothing was."""
        if bodies and self._claim is not None:
            self._batches.append(bodies)

    async def keep(self, **facts: str) -> None:
        """Keep the answer; call it once it is complete, before its last byte is out."""
        if self._claim is not None:
            kept = await self._claim.keep(Recording(self._batches, facts))
            if kept in {"lost", "unavailable"}:
                self._watcher.unkept(self._exchange, kept)

    async def __aenter__(self) -> Self:
        if self._claim is not None:
            await self._claim.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._claim is not None:
            await self._claim.__aexit__(kind, error, traceback)
