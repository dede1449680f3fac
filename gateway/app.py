"""The composition root: settings to collaborators to one ASGI application. Nothing else builds anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI

from gateway.api.access import Access
from gateway.api.audit import PATIENCE, Reads, audit_router
from gateway.api.chat import ChatCompletions
from gateway.api.dispatch import Dispatch
from gateway.api.models import models_router
from gateway.api.ops import Check, ops_router
from gateway.api.prompts import prompts_router
from gateway.api.releases import Releases
from gateway.api.rest import rest_app
from gateway.api.server import Draining
from gateway.api.visible import VisiblePrompts
from gateway.audit.contract import Watcher
from gateway.audit.entering import Entering
from gateway.audit.exchanges import ExchangeLog
from gateway.audit.opening import open_audit
from gateway.audit.place import Seams
from gateway.audit.search.archive import Archive
from gateway.audit.search.catching_up import CatchingUp
from gateway.audit.vault.dayfile import Files
from gateway.audit.vault.keyring import read_keyring
from gateway.audit.vault.payloads import Payloads, open_payloads
from gateway.audit.vault.reader import PayloadReader
from gateway.audit.vault.vault import day_of, open_vault
from gateway.audit.writing import writing
from gateway.caller.callers import Callers
from gateway.caller.keys import open_keys
from gateway.errors import Unavailable
from gateway.pipeline import Pipeline
from gateway.prompt.calling import Calling, Window
from gateway.prompt.label.table import LabelTable
from gateway.prompt.live import LivePrompts
from gateway.replay.contract import Store
from gateway.replay.memory import MemoryStore
from gateway.replay.replays import KeyedReplays
from gateway.route.table import Routes
from gateway.settings.secret import resolve
from gateway.settings.tree import Settings, UpstreamServer
from gateway.telemetry.observer import Observer
from gateway.tokens.build import Counters, build_counters, tokenize_client
from gateway.upstream.build import build_upstream
from gateway.upstream.openai import OpenAIUpstream

if TYPE_CHECKING:
    from redis.asyncio import Redis


class Application:
    """Everything that one worker process holds; `asgi` is what the server runs, and its lifespan closes the rest.

    Opening waits for files and database: build it before the event loop runs. `seams` and `files` are what the log and its
    payloads stand on, where that is not this machine's disk. Raises `SettingsError` where the settings cannot work.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        draining: Draining,
        observer: Observer,
        seams: Seams | None = None,
        files: Files | None = None,
    ) -> None:
        self._keys = open_keys(settings.store)
        self._prompts = LivePrompts(settings.prompts.path, LabelTable(self._keys.engine), observer=observer)
        self._redis = _redis(settings)
        self._callers = Callers(self._keys, settings.tenants)
        self._log = open_log(settings, observer, seams=seams, files=files)
        observer.tell_refusals(self._log.refused)
        self.upstreams = build_upstreams(settings)
        routes = Routes(settings.routes)
        self._counters = open_counters(settings)
        self._windows = windows(settings, self._counters)
        self._releases = Releases(self._prompts, self._log.log, settings=settings.prompts)
        pipeline = self._pipeline(settings, routes, observer)
        self._reads = Reads()
        self._catching_up = CatchingUp(settings.store.path)
        self._keyring = read_keyring(settings.store.path)
        rest = rest_app(
            self._routers(settings, routes, draining=draining, observer=observer),
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

    def _routers(self, settings: Settings, routes: Routes, *, draining: Draining, observer: Observer) -> list[APIRouter]:
        access = Access(self._callers)
        return [
            audit_router(
                access,
                Archive(settings.store.path, patience=PATIENCE),
                log=self._log.log,
                payloads=PayloadReader(settings.store.path, self._keyring),
                reads=self._reads,
            ),
            prompts_router(
                access,
                VisiblePrompts(self._prompts.prompts, self._callers),
                releases=self._releases,
                windows=self._windows,
            ),
            models_router(access, self._callers, routes=routes, created=int(time.time())),
            ops_router(access, checks=self._checks(), draining=draining, metrics=observer.render),
        ]

    def _pipeline(self, settings: Settings, routes: Routes, observer: Observer) -> Pipeline:
        return Pipeline(
            self._callers,
            routes,
            prompts=Calling(self._prompts.prompts, self._windows, observer=observer),
            upstreams=self.upstreams,
            replays=self._replays(settings),
            log=self._log,
            observer=observer,
        )

    def _replays(self, settings: Settings) -> KeyedReplays:
        store: Store = MemoryStore()
        if self._redis is not None:
            from gateway.replay.redis import RedisStore  # noqa: PLC0415  # as `_redis`

            store = RedisStore(self._redis)
        return KeyedReplays(store, digest=self._keys.pepper.digest, ttl=settings.server.idempotency_ttl)

    def _checks(self) -> dict[str, Check]:
        checks = {
            "keys": Check(lambda: asyncio.to_thread(self._keys.any_live), vital=True),
            "prompts": Check(self._prompts_work, vital=False),
        }
        if self._redis is not None:
            checks["redis"] = Check(self._redis.ping, vital=False)
        return checks

    async def _prompts_work(self) -> None:
        if self._prompts.degraded():
            raise Unavailable("Not all prompts are as their folder and labels are.")

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        try:
            await self.start()
            yield
        finally:
            await self.close()

    async def start(self) -> None:
        """Begin to follow prompts, labels and the log; raises `Unavailable` where the labels cannot be had."""
        self._catching_up.start()
        await self._counters.load()
        await asyncio.to_thread(self._prompts.start, Entering(self._log.log, asyncio.get_running_loop()).move)

    async def close(self) -> None:
        """Close every connection and file, the log last: what is cancelled here still has its end."""
        for upstream in self.upstreams.values():
            await upstream.close()
        await self._counters.close()
        self._releases.close()
        await asyncio.to_thread(self._prompts.close)
        if self._redis is not None:
            await self._redis.aclose()
        self._callers.close()
        self._reads.close()
        await asyncio.to_thread(self._catching_up.close)
        await self._log.close()
        await asyncio.to_thread(self._keyring.close)
        await asyncio.to_thread(self._keys.close)


def build_upstreams(settings: Settings) -> dict[str, OpenAIUpstream]:
    """Return every upstream by name, with its key; nothing is connected yet."""
    built = {}
    for name, upstream in settings.upstreams.items():
        built[name] = build_upstream(name, upstream, api_key=_key(settings, name, upstream), share=settings.server.workers)
    return built


def _key(settings: Settings, name: str, upstream: UpstreamServer) -> str | None:
    if not upstream.api_key:
        return None
    return resolve(upstream.api_key, settings.store.path, key=f"upstreams.{name}.api_key").reveal()


def open_counters(settings: Settings) -> Counters:
    """Return what counts the tokens of every route; nothing is loaded yet. Raises `SettingsError`."""
    clients = {}
    for name, upstream in settings.upstreams.items():
        if upstream.kind == "vllm":
            clients[name] = tokenize_client(upstream, _key(settings, name, upstream))
    return build_counters(settings, clients=clients)


def windows(settings: Settings, counters: Counters) -> dict[str, Window]:
    """Return what every route says of tokens."""
    return {
        name: Window(route.context_window, route.max_output_tokens, counters.of(name), route.control_tokens)
        for name, route in settings.routes.items()
    }


def open_log(settings: Settings, watcher: Watcher, *, seams: Seams | None = None, files: Files | None = None) -> ExchangeLog:
    """Return this process's log of exchanges, in a slot of its own; what a crash left open is ended when it returns.

    Raises `SettingsError` where log, keys or payloads cannot be opened.
    """
    store, audit = settings.store.path, settings.audit
    opened: list[Payloads] = []

    def payloads(slot: str) -> Payloads:
        opened.append(open_payloads(store, slot, day=day_of(time.time()), files=files))
        return opened[0]

    log = open_audit(store, writing(settings), payloads=payloads, watcher=watcher, seams=seams)
    return ExchangeLog(log, open_vault(store), payloads=audit.payloads, on_failure=audit.on_failure, release=opened[0].close)


def _redis(settings: Settings) -> Redis | None:
    if not settings.store.redis:
        return None
    from gateway.store.redis import open_redis  # noqa: PLC0415  # a tenth of a second that an embedded start need not spend

    return open_redis(settings.store.redis)
