"""POST /v1/chat/completions through the whole gateway in process, in front of the product's own fake upstream."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from gateway.api.door import Disconnect
from tests.asgi import Client, Reply, collector, receiver
from tests.gatehouse import Gatehouse
from tests.wire.hostile import HOSTILE

PATH = "/v1/chat/completions"


def hello(content: str = "Hello you", **fields: Any) -> dict[str, Any]:
    return {"model": "chat", "messages": [{"role": "user", "content": content}], **fields}


@pytest.fixture
def gatehouse(tmp_path: Path) -> Gatehouse:
    return Gatehouse(tmp_path)


def test_an_answer_carries_our_id_the_caller_s_model_and_the_headers(gatehouse: Gatehouse) -> None:
    async def test(client: Client) -> None:
        reply = await client.post(PATH, hello())
        body = reply.json()
        assert body["choices"][0]["message"]["content"] == "echo: Hello you"
        assert body["model"] == "chat"
        assert body["id"] == f"chatcmpl-{reply.headers['x-request-id']}"
        assert reply.headers["x-gatehouse-route"] == "chat"
        assert reply.headers["x-gatehouse-upstream"] == "fake"
        assert "x-gatehouse-max-tokens" not in reply.headers
        steps = [part.split(";dur=") for part in reply.headers["server-timing"].split(", ")]
        assert [name for name, _ in steps] == ["caller", "body", "route", "first_byte"]
        assert all(float(duration) >= 0 for _, duration in steps)

    gatehouse.run(test)


def test_a_stream_has_the_same_and_ends_with_done(gatehouse: Gatehouse) -> None:
    async def test(client: Client) -> None:
        reply = await client.post(PATH, hello(stream=True, stream_options={"include_usage": True}))
        assert reply.headers["x-gatehouse-route"] == "chat"
        *chunks, usage, done = reply.events()
        assert reply.text() == "echo: Hello you"
        assert done == "[DONE]"
        assert usage["choices"] == []
        assert usage["usage"]["completion_tokens"] == 3
        assert {chunk["id"] for chunk in chunks} == {f"chatcmpl-{reply.headers['x-request-id']}"}
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"

    gatehouse.run(test)


def test_a_limit_above_the_route_s_is_lowered_and_said_so(gatehouse: Gatehouse) -> None:
    async def test(client: Client) -> None:
        for stream in (False, True):
            reply = await client.post(PATH, hello(max_tokens=100_000, stream=stream))
            assert reply.headers["x-gatehouse-max-tokens"] == "512"

    gatehouse.run(test)


def test_no_hostile_body_gets_a_5xx_and_each_gets_its_code(gatehouse: Gatehouse) -> None:
    assert len(HOSTILE) >= 40

    async def test(client: Client) -> None:
        for hostile in HOSTILE:
            reply = await client.post(PATH, hostile.body)
            status, code, param = reply.error()
            too_large = len(hostile.body) > gatehouse.settings.server.max_body_bytes
            assert code == ("request_too_large" if too_large else hostile.code), hostile.name
            assert status == (413 if code == "request_too_large" else 400), hostile.name
            assert hostile.param is None or param == hostile.param, hostile.name

    gatehouse.run(test)


def test_control_a_naive_handler_fails_on_the_same_bodies() -> None:
    naive = FastAPI()

    @naive.post(PATH)
    async def echo(request: Request) -> JSONResponse:
        body = await request.json()
        return JSONResponse({"text": body["messages"][0]["content"].upper(), "temperature": float(body.get("temperature", 1))})

    async def main() -> int:
        failed = 0
        for hostile in HOSTILE:
            try:
                failed += (await Client(naive).post(PATH, hostile.body)).status >= 500
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):  # a server would answer 500
                failed += 1
        return failed

    assert asyncio.run(main()) >= 20


@pytest.mark.parametrize("credential", ["", "gth_", "sk-1", "Bearer", "gth_aaaaaaaaaaaa_" + "b" * 49, "ü"])
def test_every_bad_key_gets_one_and_the_same_401(gatehouse: Gatehouse, credential: str) -> None:
    texts = set()

    async def test(client: Client) -> None:
        client.key = ""
        for headers in ({"authorization": f"Bearer {credential}"}, {"x-api-key": credential}, {"authorization": credential}, {}):
            reply = await client.post(PATH, hello(), **headers)
            assert reply.error() == (401, "invalid_api_key", None)
            texts.add(reply.json()["error"]["message"])

    gatehouse.run(test)
    assert len(texts) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_comes_as_bearer_or_as_x_api_key(gatehouse: Gatehouse, scheme: str) -> None:
    async def test(client: Client) -> None:
        key, client.key = client.key, ""
        for headers in ({"authorization": f"{scheme} {key}"}, {"x-api-key": key}):
            assert (await client.post(PATH, hello(), **headers)).status == 200

    gatehouse.run(test)


def test_tenant_and_app_see_their_routes_only(gatehouse: Gatehouse) -> None:
    narrow, billing = gatehouse.key("narrow"), gatehouse.key("acme", "billing")

    async def test(client: Client) -> None:
        for key, allowed, other in ((narrow, "team/other", "chat"), (billing, "chat", "team/other")):
            client.key = key
            assert (await client.post(PATH, hello(model=allowed) | {"model": allowed})).status == 200
            assert (await client.post(PATH, hello() | {"model": other})).error() == (403, "route_not_allowed", "model")

    gatehouse.run(test)


def test_a_repeat_with_the_same_idempotency_key_is_answered_once(gatehouse: Gatehouse) -> None:
    async def test(client: Client) -> None:
        for stream in (False, True):
            body = hello(stream=stream)
            first = await client.post(PATH, body, idempotency_key=f"k{stream}")
            again = await client.post(PATH, body, idempotency_key=f"k{stream}")
            assert again.body == first.body
            assert again.headers["x-gatehouse-replayed"] == "1"
            assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert len(gatehouse.served) == 2
        other = await client.post(PATH, hello("Other"), idempotency_key="kTrue")
        assert other.error() == (400, "invalid_field", "Idempotency-Key")

    gatehouse.run(test)


def test_an_upstream_s_retry_after_reaches_the_client(gatehouse: Gatehouse) -> None:
    async def test(client: Client) -> None:
        reply = await client.post(PATH, hello("#fake fault=rate-limit retry-after=7\nHi"))
        assert reply.error() == (429, "rate_limit_exceeded", None)
        assert reply.headers["retry-after"] == "7"

    gatehouse.run(test)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_client_that_goes_stops_the_upstream(gatehouse: Gatehouse, stream: bool) -> None:
    async def test(client: Client) -> None:
        gone = Disconnect()
        scope = client.scope("POST", PATH, {}, disconnect=gone)
        body = b'{"model":"chat","stream":%s,"messages":[{"role":"user","content":"#fake fault=hang-mid-answer\\nHi"}]}'
        async with asyncio.TaskGroup() as group:
            group.create_task(client.app(scope, receiver(body % (b"true" if stream else b"false")), collector(Reply())))
            while not gatehouse.in_flight:  # noqa: ASYNC110  # no event tells of it, and it comes within a few turns of the loop
                await asyncio.sleep(0)
            assert gone.task is not None
            gone.gone = True
            gone.task.cancel()
        assert gatehouse.in_flight == 0
        assert gatehouse.served[-1].outcome == "aborted"

    gatehouse.run(test)
    assert gatehouse.lines("exchange_ended")[-1]["result"] == "cancelled"


def test_nothing_of_a_request_or_an_answer_is_logged(gatehouse: Gatehouse) -> None:
    async def test(client: Client) -> None:
        await client.post(PATH, hello("TOPSECRET", user="TOPSECRET", metadata={"a": "TOPSECRET"}))
        await client.post(PATH, hello("TOPSECRET", TOPSECRET=1))
        await client.post(PATH, hello("#fake fault=server-error\nTOPSECRET"))
        await client.post(PATH, b"TOPSECRET", **{"x-request-id": "TOPSECRET"})

    gatehouse.run(test)
    logged = gatehouse.logged.getvalue()
    assert len(gatehouse.lines("exchange_ended")) == 4
    assert b"TOPSECRET" not in logged
    assert gatehouse.client.key.encode() not in logged
