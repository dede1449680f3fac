"""The rules of idempotency keys, over any store."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from gateway.errors import Conflict, InvalidRequest, Unavailable
from gateway.replay import value
from gateway.replay.contract import Kept, Recording, Store
from gateway.replay.key import HEADER, check_key

TTL = 86_400.0
MAX_BYTES = 1_048_576
RETRY_AFTER = 1.0


class KeyedReplays:
    """Idempotency keys in a store; see `gateway.replay.contract.Replays`.

    `digest` is a keyed digest (HMAC) that every process which shares the store has in common. `ttl` is in seconds; answers of
    more than `max_bytes` are not kept, and a repeat of one is refused.
    """

    def __init__(self, store: Store, *, digest: Callable[[str], bytes], ttl: float = TTL, max_bytes: int = MAX_BYTES) -> None:
        self._store = store
        self._digest = digest
        self._ttl = ttl
        self._max_bytes = max_bytes

    async def claim(self, tenant: str, key: str, *, fingerprint: bytes, lease: float) -> KeyedClaim | Recording:
        """Return the right to run a request, or its first answer; see the contract for what it raises."""
        # The length keeps tenant "a", key "b c" apart from tenant "a b", key "c".
        name = self._digest(f"gatehouse idempotency {len(tenant)} {tenant} {check_key(key)}").hex()
        claim = KeyedClaim(self._store, name, fingerprint=fingerprint, ttl=self._ttl, max_bytes=self._max_bytes)
        held = await claim.take(lease)
        if held is None:
            return claim
        if value.fingerprint_of(held) != claim.fingerprint:
            raise InvalidRequest(f"This {HEADER} was used with another request. Use a new key for a new request.", param=HEADER)
        if held.startswith(value.RUNNING):
            raise Conflict(f"A request with this {HEADER} is being answered. Ask again later.", retry_after=RETRY_AFTER)
        if held.startswith(value.SPENT):
            raise Conflict(
                f"The request with this {HEADER} has been answered, but its answer is not kept: it was too large or made room"
                " for newer ones. It is not run again; use a new key to run it as a new request."
            )
        return value.recording_of(held)


class KeyedClaim:
    """One claim; see `gateway.replay.contract.Claim`."""

    def __init__(self, store: Store, name: str, *, fingerprint: bytes, ttl: float, max_bytes: int) -> None:
        self.fingerprint = hashlib.sha256(fingerprint).digest()
        self._store = store
        self._name = name
        self._ttl = ttl
        self._max_bytes = max_bytes
        self._token = secrets.token_bytes(value.TOKEN_BYTES)
        self._answered = False

    async def take(self, lease: float) -> bytes | None:
        """Claim the name and return None, or return what is there."""
        try:
            return await self._store.take(self._name, value.running(self._token, self.fingerprint), ttl=lease)
        except (Unavailable, asyncio.CancelledError):
            # The store may have done it before it fell silent: without this the retry would meet its own ghost.
            await self._release()
            raise

    async def keep(self, recording: Recording) -> Kept:
        """Keep a complete answer for repeats."""
        self._answered = True
        kept = value.kept(self.fingerprint, recording, max_bytes=self._max_bytes)
        left = kept or value.spent(self.fingerprint)
        try:
            if not await self._store.put(self._name, left, owner=value.owner(self._token), ttl=self._ttl):
                return "lost"
        except Unavailable:
            return "unavailable"
        return "kept" if kept else "too_large"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._answered:
            await self._release()

    async def _release(self) -> None:
        # A store that does not answer keeps the claim no longer than its lease.
        with suppress(Unavailable):
            await self._store.drop(self._name, owner=value.owner(self._token))
