"""From the key that a request brings to the caller that it proves.

Invariants
- Form and checksum are checked before any look into the database, the digest in constant time on every request, and the
  key's expiry too; all that is wrong is one `Unauthenticated` with one text.
- What is known of a key is at most 30 seconds old: so long may a revocation in another process take; here it holds at once.
- Without an answer of the database within 2 seconds nobody is let in, except on what is known and not yet too old.
- However many requests bring a key, one look is under way for it; looks, memory and threads are bounded.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, Protocol

from gateway.caller.key import ID, parse
from gateway.caller.patterns import Patterns
from gateway.caller.pepper import Pepper
from gateway.caller.table import KeyRecord
from gateway.errors import Unauthenticated, Unavailable
from gateway.exchange.caller import Caller
from gateway.settings.tree import Tenant

_THREADS: Final = 4
_SALT_CHARS: Final = 32
"""Hexadecimal characters of a tenant's salt for prefix caches: 128 bits."""


class KnownKeys(Protocol):
    """Where keys are looked up: `gateway.caller.keys.KeyStore`."""

    @property
    def pepper(self) -> Pepper:
        """The pepper that keys are stored under."""

    def find(self, key_id: str) -> KeyRecord | None:
        """Return a key's record; raises `Unavailable` when there is no answer."""

    def when_revoked(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with the id of each key that is revoked in this process."""


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """Ages and waits in seconds, sizes in keys.

    A record is used for `max_age`; from `refresh_age` on it is looked up again beside the requests that still use it, and
    after a failure every `retry_after`. That a key is unknown is remembered for `unknown_age`.
    """

    max_age: float = 30.0
    refresh_age: float = 20.0
    unknown_age: float = 5.0
    deadline: float = 2.0
    retry_after: float = 1.0
    max_known: int = 10_000
    max_unknown: int = 10_000
    max_lookups: int = 256


@dataclass(slots=True)
class _Entry:
    """What is known of a key; `caller` is None where it admits nobody.

    `expires` is wall time, the others monotonic; `refresh_at` is never after `too_old_at`.
    """

    digest: bytes
    caller: Caller | None
    expires: float
    refresh_at: float
    too_old_at: float


class Callers:
    """Identifies callers by their keys; belongs to one event loop. `wall` is in seconds since 1970, UTC."""

    def __init__(
        self,
        keys: KnownKeys,
        tenants: Mapping[str, Tenant],
        *,
        limits: CallerLimits = CallerLimits(),
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._pepper = keys.pepper.id
        self._digest = keys.pepper.digest
        self._limits = limits
        self._wall = wall
        self._monotonic = monotonic
        self._known: dict[str, _Entry] = {}
        self._unknown: dict[str, _Entry] = {}
        self._lookups: dict[str, asyncio.Future[KeyRecord | None]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="keys")
        self._lock = threading.Lock()
        self._routes = _routes(tenants)
        self._salts: dict[str, str] = {}
        keys.when_revoked(self.forget)

    def lookup(self, credential: str) -> Caller | None:
        """Return the caller of a key that is known here, None where `identify` must look; for requests' fast path.

        Raises `Unauthenticated` where the key is known and wrong, expired, revoked, or known not to exist.
        """
        key_id = credential[ID]
        entry = self._known.get(key_id) or self._unknown.get(key_id)
        if entry is None:
            return None
        now = self._monotonic()
        if now >= entry.refresh_at:
            if now >= entry.too_old_at:
                return None
            if key_id not in self._lookups and len(self._lookups) < self._limits.max_lookups:
                self._look(key_id)
        return self._admit(entry, credential)

    async def identify(self, credential: str | None) -> Caller:
        """Return the caller that a key proves.

        Raises `Unauthenticated` for a key that is missing, malformed, unknown, wrong, expired or revoked, or whose tenant or
        app is not configured; `Unavailable` when the database does not answer in time.
        """
        if credential is None:
            raise Unauthenticated
        caller = self.lookup(credential)
        if caller is not None:
            return caller
        parts = parse(credential)
        if parts is None:
            raise Unauthenticated
        now = self._monotonic()
        return self._admit(self._entry(await self._found(parts.id), now), credential)

    def salt(self, tenant: str) -> str:
        """Return a tenant's secret salt for prefix caches at upstreams, always the same one."""
        found = self._salts.get(tenant)
        if found is None:
            found = self._salts[tenant] = self._digest(f"gatehouse cache salt {tenant}").hex()[:_SALT_CHARS]
        return found

    def routes_allowed(self, caller: Caller, route: str) -> bool:
        """Whether the caller's tenant, and its app where it has one, may use a route."""
        lists = self._routes.get((caller.tenant, caller.app))
        if lists is None:
            return False
        tenant, app = lists
        return tenant.match(route) and (app is None or app.match(route))

    def forget(self, key_id: str) -> None:
        """Drop what is known of a key, also what a look under way will bring; from any thread."""
        with self._lock:
            self._lookups.pop(key_id, None)
            self._known.pop(key_id, None)

    def close(self) -> None:
        """End the threads; a look that hangs in one ends with its own time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _admit(self, entry: _Entry, credential: str) -> Caller:
        caller = entry.caller
        if not compare_digest(self._digest(credential), entry.digest) or caller is None or self._wall() >= entry.expires:
            raise Unauthenticated
        return caller

    async def _found(self, key_id: str) -> KeyRecord | None:
        lookup = self._lookups.get(key_id)
        if lookup is None:
            if len(self._lookups) >= self._limits.max_lookups:
                raise self._unavailable("too many key lookups")
            lookup = self._look(key_id)
        # `wait` leaves the lookup alone when this request is cancelled or too late: others wait for it, too.
        await asyncio.wait((lookup,), timeout=self._limits.deadline)
        if not lookup.done() or lookup.cancelled():
            raise self._unavailable("key lookup past its deadline")
        error = lookup.exception()
        if error is not None:  # one error for many requests: each raises its own
            raise self._unavailable(
                error.reason if isinstance(error, Unavailable) else f"key lookup: {type(error).__name__}"
            ) from error
        return lookup.result()

    def _look(self, key_id: str) -> asyncio.Future[KeyRecord | None]:
        lookup = asyncio.get_running_loop().run_in_executor(self._threads, self._find, key_id)
        self._lookups[key_id] = lookup
        # The age counts from before the look: the record may be revoked while its answer is on the way.
        lookup.add_done_callback(functools.partial(self._looked, key_id, self._monotonic()))
        return lookup

    def _find(self, key_id: str) -> KeyRecord | None:
        record = self._keys.find(key_id)
        if record is not None and record.pepper != self._pepper and record.live(self._wall()):
            raise self._unavailable("key made under another pepper")
        return record

    def _looked(self, key_id: str, started: float, lookup: asyncio.Future[KeyRecord | None]) -> None:
        with self._lock:
            if self._lookups.get(key_id) is not lookup:
                return  # revoked since
            del self._lookups[key_id]
            if not lookup.cancelled() and lookup.exception() is None:
                self._keep(key_id, lookup.result(), started)
            elif (entry := self._known.get(key_id)) is not None:
                entry.refresh_at = min(self._monotonic() + self._limits.retry_after, entry.too_old_at)

    def _keep(self, key_id: str, record: KeyRecord | None, started: float) -> None:
        self._known.pop(key_id, None)
        self._unknown.pop(key_id, None)
        entries, limit = (self._unknown, self._limits.max_unknown) if record is None else (self._known, self._limits.max_known)
        if len(entries) >= limit:
            del entries[next(iter(entries))]  # the one that has been there longest
        entries[key_id] = self._entry(record, started)

    def _entry(self, record: KeyRecord | None, started: float) -> _Entry:
        if record is None:
            end = started + self._limits.unknown_age
            return _Entry(digest=b"", caller=None, expires=0.0, refresh_at=end, too_old_at=end)
        caller = Caller(tenant=record.tenant, app=record.app, key_id=record.id, role=record.role)
        admits = record.revoked is None and (record.tenant, record.app) in self._routes
        return _Entry(
            digest=record.digest,
            caller=caller if admits else None,
            expires=float("inf") if record.expires is None else record.expires,
            refresh_at=started + self._limits.refresh_age,
            too_old_at=started + self._limits.max_age,
        )

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable("The key database does not answer; try again.", retry_after=self._limits.retry_after, reason=reason)


def _routes(tenants: Mapping[str, Tenant]) -> dict[tuple[str, str | None], tuple[Patterns, Patterns | None]]:
    """Return the route lists of every tenant and app that there is."""
    found: dict[tuple[str, str | None], tuple[Patterns, Patterns | None]] = {}
    for name, tenant in tenants.items():
        own = Patterns(tenant.routes, where=f"tenants.{name}.routes")
        found[name, None] = (own, None)
        for app, settings in tenant.apps.items():
            found[name, app] = (own, Patterns(settings.routes, where=f"tenants.{name}.apps.{app}.routes"))
    return found
