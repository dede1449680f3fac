"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fastapi import FastAPI

from gateway.api.ops import Check, ops_router
from gateway.api.server import Draining
from gateway.errors import Forbidden
from tests.asgi import Client, Reply
from tests.gatehouse import Gatehouse


class Access:
    async def operator(self, request: object) -> None:
        if not getattr(request, "headers", {}).get("x-operator"):
            raise Forbidden("no")


async def rendered() -> bytes:
    return b"m 1\n"


async def answers() -> None: ...


async def fails() -> None:
    raise ConnectionError("secret host")


def ready(
    ask: Callable[[], Awaitable[object]], *, vital: bool, draining: bool = False, operator: str = "", deadline: float = 2
) -> Reply:
    app = FastAPI()
    checks = {"keys": Check(answers, vital=True), "part": Check(ask, vital=vital)}
    router = ops_router(
        Access(),  # type: ignore[arg-type]  # the seam is one method of it
        checks=checks,
        draining=Draining(draining),
        metrics=rendered,
        deadline=deadline,
    )
    app.include_router(router)
    return asyncio.run(Client(app).get("/readyz", **{"x-operator": operator}))


@pytest.mark.parametrize(
    ("ask", "vital", "draining", "status", "told"),
    [
        (answers, True, False, 200, "ok"),
        (fails, False, False, 200, "degraded"),
        (fails, True, False, 503, "unavailable"),
        (answers, True, True, 503, "draining"),
    ],
)
def test_readiness_is_what_the_parts_say(
    ask: Callable[[], Awaitable[object]], vital: bool, draining: bool, status: int, told: str
) -> None:
    reply = ready(ask, vital=vital, draining=draining)
    assert (reply.status, reply.json()) == (status, {"status": told})


def test_an_operator_learns_which_part_fails_and_nothing_of_its_text() -> None:
    reply = ready(fails, vital=False, operator="yes")
    assert reply.json() == {"status": "degraded", "failing": ["part"]}


def test_a_part_that_never_answers_is_not_ready() -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    assert ready(hangs, vital=True, deadline=0.01).status == 503


def test_the_whole_gateway_is_healthy_ready_and_counted(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ok", "failing": []}
        await client.post("/v1/chat/completions", {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]})
        metrics = (await client.get("/metrics")).body
        assert b'gatehouse_exchanges_total{result="complete",route="chat"} 1.0' in metrics
        client.address = "10.0.0.1"
        assert (await client.get("/metrics")).error() == (403, "role_not_allowed", None)
        assert (await client.get("/readyz")).json() == {"status": "ok"}

    gatehouse.run(test)
