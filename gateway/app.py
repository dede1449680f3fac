"""The composition root: settings to collaborators to one ASGI application. Nothing else builds anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from gateway.api.access import Access
from gateway.api.audit import PATIENCE, Reads, audit_router
from gateway.api.chat import ChatCompletions
from gateway.api.dispatch import Dispatch
from gateway.api.models import models_router
from gateway.api.ops import Check, ops_router
from gateway.api.rest import rest_app
from gateway.api.server import Draining
from gateway.audit.contract import Watcher
from gateway.audit.exchanges import ExchangeLog
from gateway.audit.opening import open_audit
from gateway.audit.search.archive import Archive
from gateway.audit.vault.keyring import read_keyring
from gateway.audit.vault.payloads import Payloads, open_payloads
from gateway.audit.vault.reader import PayloadReader
from gateway.audit.vault.vault import day_of, open_vault
from gateway.audit.writing import writing
from gateway.caller.callers import Callers
from gateway.caller.keys import open_keys
from gateway.caller.pepper import Pepper
from gateway.pipeline import Pipeline
from gateway.replay.contract import Store
from gateway.replay.memory import MemoryStore
from gateway.replay.replays import KeyedReplays
from gateway.route.table import Routes
from gateway.settings.secret import resolve
from gateway.settings.tree import Settings
from gateway.telemetry.observer import Observer
from gateway.upstream.build import build_upstream
from gateway.upstream.openai import OpenAIUpstream

if TYPE_CHECKING:
    from redis.asyncio import Redis

SALT_CHARS = 32
"""Hexadecimal characters of a tenant's salt for the upstream's prefix cache: 128 bits."""


class Application:
    """Everything that one worker process holds; `asgi` is what the server runs, and its lifespan closes the rest.

    Opening waits for files and database: build it before the event loop runs. Raises `SettingsError` where the settings
    cannot work.
    """

    def __init__(self, settings: Settings, *, draining: Draining, observer: Observer) -> None:
        self._keys = open_keys(settings.store)
        self._redis = _redis(settings)
        self._callers = Callers(self._keys, settings.tenants)
        self._log = open_log(settings, observer)
        observer.tell_refusals(self._log.refused)
        self.upstreams = build_upstreams(settings)
        routes = Routes(settings.routes)
        pipeline = Pipeline(
            self._callers,
            routes,
            upstreams=self.upstreams,
            replays=self._replays(settings),
            salts=salts(self._keys.pepper),
            log=self._log,
            observer=observer,
        )
        access = Access(self._callers)
        self._reads = Reads()
        self._keyring = read_keyring(settings.store.path)
        rest = rest_app(
            [
                audit_router(
                    access,
                    Archive(settings.store.path, patience=PATIENCE),
                    log=self._log.log,
                    payloads=PayloadReader(settings.store.path, self._keyring),
                    reads=self._reads,
                ),
                models_router(access, self._callers, routes=routes, created=int(time.time())),
                ops_router(access, checks=self._checks(), draining=draining, metrics=observer.render),
            ],
            version=version("gatehouse"),
            lifespan=self._lifespan,
        )
        self.asgi = Dispatch(
            {"/v1/chat/completions": ChatCompletions(pipeline)},
            rest,
            server=settings.server,
            draining=draining,
            observer=observer,
        )

    def _replays(self, settings: Settings) -> KeyedReplays:
        store: Store = MemoryStore()
        if self._redis is not None:
            from gateway.replay.redis import RedisStore  # noqa: PLC0415  # as `_redis`

            store = RedisStore(self._redis)
        return KeyedReplays(store, digest=self._keys.pepper.digest, ttl=settings.server.idempotency_ttl)

    def _checks(self) -> dict[str, Check]:
        checks = {"keys": Check(lambda: asyncio.to_thread(self._keys.any_live), vital=True)}
        if self._redis is not None:
            checks["redis"] = Check(self._redis.ping, vital=False)
        return checks

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.close()

    async def close(self) -> None:
        """Close every connection and file, the log last: what is cancelled here still has its end."""
        for upstream in self.upstreams.values():
            await upstream.close()
        if self._redis is not None:
            await self._redis.aclose()
        self._callers.close()
        self._reads.close()
        await self._log.close()
        await asyncio.to_thread(self._keyring.close)
        await asyncio.to_thread(self._keys.close)


def build_upstreams(settings: Settings) -> dict[str, OpenAIUpstream]:
    """Return every upstream by name, with its key; nothing is connected yet."""
    built = {}
    for name, upstream in settings.upstreams.items():
        key = resolve(upstream.api_key, settings.store.path, key=f"upstreams.{name}.api_key") if upstream.api_key else None
        built[name] = build_upstream(name, upstream, api_key=key.reveal() if key else None, share=settings.server.workers)
    return built


def open_log(settings: Settings, watcher: Watcher) -> ExchangeLog:
    """Return this process's log of exchanges, in a slot of its own; what a crash left open is ended when it returns.

    Raises `SettingsError` where log, keys or payloads cannot be opened.
    """
    store, audit = settings.store.path, settings.audit
    opened: list[Payloads] = []

    def payloads(slot: str) -> Payloads:
        opened.append(open_payloads(store, slot, day=day_of(time.time())))
        return opened[0]

    log = open_audit(store, writing(settings), payloads=payloads, watcher=watcher)
    return ExchangeLog(log, open_vault(store), payloads=audit.payloads, on_failure=audit.on_failure, release=opened[0].close)


def salts(pepper: Pepper) -> Callable[[str], str]:
    """Return the function from a tenant to its secret salt for prefix caches; a tenant's is computed once."""
    known: dict[str, str] = {}

    def salt(tenant: str) -> str:
        found = known.get(tenant)
        if found is None:
            found = known[tenant] = pepper.digest(f"gatehouse cache salt {tenant}").hex()[:SALT_CHARS]
        return found

    return salt


def _redis(settings: Settings) -> Redis | None:
    if not settings.store.redis:
        return None
    from gateway.store.redis import open_redis  # noqa: PLC0415  # a tenth of a second that an embedded start need not spend

    return open_redis(settings.store.redis)
