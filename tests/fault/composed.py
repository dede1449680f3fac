"""A gateway's application over a log whose disk a test chose; all else is what `gateway.app` builds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from gateway.api.chat import ChatCompletions
from gateway.api.dispatch import Asgi, Dispatch
from gateway.api.rest import rest_app
from gateway.api.server import Draining
from gateway.app import build_upstreams, salts
from gateway.audit.exchanges import ExchangeLog
from gateway.audit.opening import Writing, open_audit
from gateway.audit.place import Seams
from gateway.audit.vault.dayfile import Files
from gateway.audit.vault.payloads import Payloads
from gateway.audit.vault.vault import day_of, open_vault
from gateway.caller.callers import Callers
from gateway.caller.keys import open_keys
from gateway.pipeline import Pipeline
from gateway.replay.memory import MemoryStore
from gateway.replay.replays import KeyedReplays
from gateway.route.table import Routes
from gateway.settings.tree import Settings
from gateway.telemetry.log import open_log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.observer import Observer
from gateway.upstream.fake.client import FakeClient
from gateway.upstream.fake.ledger import Ledger
from tests.asgi import Client
from tests.gatehouse import Gatehouse


class Composed:
    """The application, in `asgi`; `close` ends it."""

    def __init__(
        self, settings: Settings, draining: Draining, observer: Observer, *, seams: Seams, files: Files | None = None
    ) -> None:
        self._keys = open_keys(settings.store)
        self._payloads: list[Payloads] = []
        self._callers = Callers(self._keys, settings.tenants)
        store = settings.store.path
        log = open_audit(
            store,
            Writing("gatehouse", "gatehouse 0"),
            payloads=self._open(store, files),
            watcher=observer,
            seams=seams,
        )
        self.log = ExchangeLog(
            log, open_vault(store), payloads="full", on_failure=settings.audit.on_failure, release=self._payloads[0].close
        )
        observer.tell_refusals(self.log.refused)
        self.upstreams = build_upstreams(settings)
        pipeline = Pipeline(
            self._callers,
            Routes(settings.routes),
            upstreams=self.upstreams,
            replays=KeyedReplays(MemoryStore(), digest=self._keys.pepper.digest),
            salts=salts(self._keys.pepper),
            log=self.log,
            observer=observer,
        )
        self.asgi: Asgi = Dispatch(
            {"/v1/chat/completions": ChatCompletions(pipeline)},
            rest_app([], version="0", lifespan=self._lifespan),
            server=settings.server,
            draining=draining,
            observer=observer,
        )

    def _open(self, store: Path, files: Files | None) -> Callable[[str], Payloads]:
        def payloads(slot: str) -> Payloads:
            opened = Payloads(store, slot, files=files)
            self._payloads.append(opened)
            opened.prepare(day_of(time.time()))
            return opened

        return payloads

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.close()

    async def close(self) -> None:
        for upstream in self.upstreams.values():
            await upstream.close()
        self._callers.close()
        await self.log.close()
        await asyncio.to_thread(self._keys.close)

    @property
    def ledger(self) -> Ledger:
        """The fake upstream's own account of what it served."""
        client: Any = self.upstreams["fake"]._client
        assert isinstance(client, FakeClient)
        return client.ledger


def live(
    house: Gatehouse, seams: Seams, story: Callable[[Client, Composed], Awaitable[None]], *, files: Files | None = None
) -> None:
    """Live a story with a gateway over these seams, then close it."""
    with open_log(house.logged) as log:
        composed = Composed(house.settings, house.draining, Observer(Metrics(), log), seams=seams, files=files)
        house.client.app = composed.asgi

        async def main() -> None:
            try:
                async with asyncio.timeout(40):
                    await story(house.client, composed)
            finally:
                await composed.close()

        asyncio.run(main())
