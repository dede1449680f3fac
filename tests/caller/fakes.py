"""Keys, time and loops for the tests of callers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.caller.callers import CallerLimits, Callers
from gateway.caller.key import _checksum, new_key
from gateway.caller.keys import KeyStore
from gateway.caller.pepper import Pepper
from gateway.caller.table import KeyRecord
from gateway.errors import Unauthenticated
from gateway.settings.tree import App, Tenant

NOW = 1_800_000_000.0
TENANTS = {
    "acme": Tenant(routes=("chat", "team-*"), apps={"billing": App(routes=("team-a",)), "any": App()}),
    "all": Tenant(),
    "none": Tenant(routes=()),
}
TEXT = "The API key is missing or not valid. Send it as 'Authorization: Bearer gth_…'."


@dataclass
class Clock:
    """Time that the test moves."""

    wall: float = NOW
    monotonic: float = 1000.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@dataclass
class Keys:
    """Keys in memory that count lookups, hang while `answering` is not set, and fail when told to."""

    pepper: Pepper = field(default_factory=lambda: Pepper(bytes(32)))
    records: dict[str, KeyRecord] = field(default_factory=dict)
    lookups: list[str] = field(default_factory=list)
    failure: Exception | None = None
    answering: threading.Event = field(default_factory=threading.Event)
    listeners: list[Callable[[str], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answering.set()

    def add(self, tenant: str = "acme", app: str | None = None, *, expires: int | None = None, revoked: int | None = None) -> str:
        key = new_key()
        self.records[key.id] = KeyRecord(
            id=key.id,
            digest=self.pepper.digest(key.text),
            pepper=self.pepper.id,
            tenant=tenant,
            app=app,
            role="app",
            created=int(NOW),
            expires=expires,
            revoked=revoked,
        )
        return key.text

    def find(self, key_id: str) -> KeyRecord | None:
        self.lookups.append(key_id)
        record = self.records.get(key_id)
        assert self.answering.wait(timeout=30)
        if self.failure is not None:
            raise self.failure
        return record

    def when_revoked(self, tell: Callable[[str], None]) -> None:
        self.listeners.append(tell)

    def revoke(self, key: str) -> None:
        key_id = key[4:16]
        self.records[key_id] = replace(self.records[key_id], revoked=int(NOW))
        for tell in self.listeners:
            tell(key_id)


def run(
    keys: Keys | KeyStore,
    clock: Clock,
    use: Callable[[Callers], Coroutine[Any, Any, None]],
    *,
    limits: CallerLimits | None = None,
) -> None:
    """Let `use` work with callers in an event loop of its own."""

    async def main() -> None:
        callers = Callers(
            keys,
            TENANTS,
            limits=limits or CallerLimits(deadline=30),
            wall=lambda: clock.wall,
            monotonic=lambda: clock.monotonic,
        )
        try:
            await use(callers)
            await settled(callers)
        finally:
            callers.close()

    asyncio.run(main())


async def settled(callers: Callers) -> None:
    """Wait until no lookup is under way."""
    while callers._lookups:
        await asyncio.wait(callers._lookups.values())


async def refused(callers: Callers, key: str | None) -> None:
    """Check that a key is refused, in the one text there is."""
    with pytest.raises(Unauthenticated) as caught:
        await callers.identify(key)
    assert (str(caught.value), caught.value.code, caught.value.status) == (TEXT, "invalid_api_key", 401)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something has come about in another task or thread."""
    while not condition():  # noqa: ASYNC110  # a thread cannot set a loop's event without the code under test knowing
        await asyncio.sleep(0)


async def admitted(callers: Callers, key: str) -> None:
    """Check that a key is let in as itself."""
    assert (await callers.identify(key)).key_id == key[4:16]


def forge(key_id: str) -> str:
    """Return a key of the right form with this id and another secret."""
    checked = f"gth_{key_id}_{new_key().text[17:60]}"
    return checked + _checksum(checked)
