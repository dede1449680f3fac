"""A whole gateway in the test's own process: real store, real pipeline, the product's fake upstream, no sockets."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from gateway.api.server import Draining
from gateway.app import Application
from gateway.audit.place import Seams
from gateway.audit.vault.dayfile import Files
from gateway.caller.keys import open_keys
from gateway.exchange.caller import Role
from gateway.settings.load import load
from gateway.settings.tree import Settings
from gateway.telemetry.log import open_log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.observer import Observer
from gateway.upstream.fake.client import FakeClient
from gateway.upstream.fake.ledger import Ledger, Served
from tests.asgi import Client

TOML = """
[upstreams.fake]
kind = "fake"
first_byte_timeout = "500ms"
idle_timeout = "500ms"
max_answer_bytes = 1_000_000

[routes.chat]
upstreams = [{ name = "fake", model = "fake" }]
chat_template_kwargs = ["enable_thinking"]
timeout = "20s"

[routes."team/other"]
upstreams = [{ name = "fake", model = "fake-other" }]

[tenants.acme]
[tenants.acme.apps.billing]
routes = ["chat"]

[tenants.narrow]
routes = ["team/other"]
"""


class Gatehouse:
    """A gateway over the settings in `TOML` (and `more`), with a key of tenant acme in `client`."""

    def __init__(self, folder: Path, more: str = "") -> None:
        file = folder / "gateway.toml"
        file.write_text(TOML + more, encoding="utf-8")
        self.settings: Settings = load(file, {})
        self.logged = io.BytesIO()
        self.draining = Draining()
        self.client = Client(None, key=self.key("acme"))
        self._application: Application | None = None

    def key(self, tenant: str, app: str | None = None, *, role: Role = "app") -> str:
        keys = open_keys(self.settings.store)
        try:
            return keys.create(tenant, app, role=role)[0]
        finally:
            keys.close()

    def run(
        self,
        test: Callable[[Client], Awaitable[None]],
        *,
        seams: Seams | None = None,
        files: Files | None = None,
        started: bool = True,
    ) -> None:
        """Run `test` against a started application, then shut it down; `seams` and `files` are what its log stands on."""
        with open_log(self.logged) as log:
            observer = Observer(Metrics(), log)
            application = Application(self.settings, draining=self.draining, observer=observer, seams=seams, files=files)
            self._application = application
            self.client.app = application.asgi

            async def main() -> None:
                try:
                    async with asyncio.timeout(30):
                        if started:
                            await application.start()
                        await test(self.client)
                finally:
                    await application.close()

            asyncio.run(main())

    @property
    def application(self) -> Application:
        """The application that runs, or ran last."""
        assert self._application is not None
        return self._application

    @property
    def ledger(self) -> Ledger:
        """The fake upstream's own account."""
        assert self._application is not None
        client: Any = self._application.upstreams["fake"]._client
        assert isinstance(client, FakeClient)
        return client.ledger

    @property
    def served(self) -> tuple[Served, ...]:
        """What the fake upstream served, by its own account."""
        return self.ledger.served

    @property
    def in_flight(self) -> int:
        """Places taken at all upstreams."""
        assert self._application is not None
        return sum(upstream._slots.in_flight for upstream in self._application.upstreams.values())

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the logged lines of one event."""
        decoded = [msgspec.json.decode(line, type=dict[str, Any]) for line in self.logged.getvalue().splitlines()]
        return [line for line in decoded if line["event"] == event]
