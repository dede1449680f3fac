"""The endpoints for prompts over real prompts, labels and a log, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from gateway.api.access import Access
from gateway.api.prompts import prompts_router
from gateway.api.releases import Releases
from gateway.api.rest import rest_app
from gateway.api.visible import VisiblePrompts
from gateway.audit.contract import Unwatched
from gateway.audit.entering import Entering
from gateway.audit.log import AuditLog
from gateway.audit.opening import Writing, open_audit
from gateway.audit.place import Seams
from gateway.audit.search.archive import Archive
from gateway.audit.search.filters import Filters
from gateway.audit.search.rights import View
from gateway.caller.callers import Callers
from gateway.caller.keys import open_keys
from gateway.exchange.caller import Role
from gateway.prompt.calling import Window
from gateway.prompt.file.problem import Problem
from gateway.prompt.label.table import LabelTable
from gateway.prompt.live import LivePrompts
from gateway.settings.tree import Prompts, Store, Tenant
from gateway.tokens.fake import FakeCounter
from tests.asgi import Client, Reply
from tests.prompt.shelf import TRIAGE, prompty, put, seal

URL = f"/v1/prompts/{TRIAGE}"
JSON = {"content_type": "application/json"}
WHY = {"why": "it sorts better"}

Ask = Callable[[Client], Awaitable[Reply]]
Error = tuple[int, str, str | None]

PATIENCE = 10.0
"""Seconds until a test gives up on what has to happen."""
BODIES = {"v1": "Sort {{ticket}}", "v2": "Sort and date {{ticket}}", "v3": "Sort and sign {{ticket}}", "draft": "All {{ticket}}"}
TENANTS = {"acme": Tenant(), "beta": Tenant(routes=("other",))}


class Deaf:
    """Is told how prompts and labels are, and tells nobody."""

    def prompts_loaded(self, count: int, problems: Sequence[Problem]) -> None:
        """Pass over it."""

    def prompts_unwatched(self) -> None:
        """Pass over it."""

    def labels_unseeded(self, reason: str) -> None:
        """Pass over it."""

    def labels_stale(self, reason: str) -> None:
        """Pass over it."""

    def labels_current(self) -> None:
        """Pass over it."""


class PromptHouse:
    """The prompt support/triage in three versions and a draft, `production` at v1, for tenants acme and beta."""

    def __init__(self, folder: Path, *, writable: bool = False) -> None:
        self.folder = folder / "prompts"
        for name, body in BODIES.items():
            put(self.folder, f"{TRIAGE}/{name}.prompty", prompty(body))
        put(self.folder, f"{TRIAGE}/labels.yaml", "production: v1\n")
        seal(self.folder)
        self.store = folder / "store"
        self.settings = Prompts(path=self.folder, writable=writable)
        self.keys = open_keys(Store(path=self.store))
        self.live = LivePrompts(self.folder, LabelTable(self.keys.engine), observer=Deaf())
        self.log: AuditLog
        self.releases: Releases

    def key(self, role: Role, tenant: str = "acme") -> str:
        """Make a key."""
        return self.keys.create(tenant, role=role)[0]

    def run(self, test: Callable[[Client], Awaitable[None]], *, role: Role = "prompt-engineer", tenant: str = "acme") -> None:
        """Run a test, its client with a key of `role`."""
        key = self.key(role, tenant)
        callers = Callers(self.keys, TENANTS)
        self.log = open_audit(self.store, Writing("site", "tests"), payloads=None, watcher=Unwatched(), seams=Seams(ballast=0))
        self.releases = Releases(self.live, self.log, settings=self.settings)
        window = Window(4096, 512, FakeCounter(), "neutralise")

        async def main() -> None:
            router = prompts_router(
                Access(callers), VisiblePrompts(self.live.prompts, callers), releases=self.releases, windows={"chat": window}
            )
            client = Client(rest_app([router], version="0", lifespan=_lifespan), key=key)
            enter = Entering(self.log, asyncio.get_running_loop()).move
            try:
                async with asyncio.timeout(30):
                    await asyncio.to_thread(self.live.start, enter)
                    await test(client)
            finally:
                await asyncio.to_thread(self.live.close)
                await self.log.close()

        with closing(self.keys), closing(callers), closing(self.releases):
            asyncio.run(main())

    async def standing(self, label: str, version: str) -> None:
        """Return once this process sees that the label stands for the version."""
        async with asyncio.timeout(PATIENCE):
            while True:
                move = self.live.prompts.labels.labels(TRIAGE).get(label)
                if move is not None and move.version == version:
                    return
                await asyncio.sleep(0.01)

    def entered(self) -> list[dict[str, Any]]:
        """Return the moves that the log tells of, the oldest first; where no event loop runs."""
        data = Archive(self.store).search(Filters("label"), View(None, "", "operator")).data
        return [each.fields for each in reversed(data) if not hasattr(each, "tenant")]


def post(path: str, body: Any) -> Ask:
    return lambda client: client.post(path, body, **JSON)


def get(path: str) -> Ask:
    return lambda client: client.get(path)


def replies(house: PromptHouse, *asks: Ask, role: Role = "prompt-engineer", tenant: str = "acme") -> list[Reply]:
    """Return the replies to some requests, made one after the other."""
    found: list[Reply] = []

    async def test(client: Client) -> None:
        for ask in asks:
            found.append(await ask(client))  # noqa: PERF401  # one after the other

    house.run(test, role=role, tenant=tenant)
    return found


def answer(house: PromptHouse, *asks: Ask, role: Role = "prompt-engineer", tenant: str = "acme") -> Reply:
    """Return the reply to the last of some requests."""
    return replies(house, *asks, role=role, tenant=tenant)[-1]


def errors(house: PromptHouse, *asks: Ask, role: Role = "prompt-engineer", tenant: str = "acme") -> list[Error]:
    """Return status, code and param of the replies to some requests that are all refused."""
    return [reply.error() for reply in replies(house, *asks, role=role, tenant=tenant)]


def data(house: PromptHouse, *asks: Ask, role: Role = "prompt-engineer", tenant: str = "acme") -> Any:
    reply = answer(house, *asks, role=role, tenant=tenant)
    assert reply.status == 200, reply.body
    return reply.json()


PROMOTE = post(f"{URL}/labels/production", {"version": "v2", **WHY})
ROLL_BACK = post(f"{URL}/labels/production/rollback", WHY)
PUBLISH = post(f"{URL}/publish", {})


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
