"""Every fault of an upstream, in process and over TCP, streamed and not: our status, nothing of its text, the slot free."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.http.client import AiohttpClient
from gateway.http.contract import HttpLimits, HttpRequest
from gateway.upstream.fake.faults import FAULTS
from gateway.upstream.openai import bound
from tests.asgi import Client, Reply
from tests.gatehouse import Gatehouse

UPSTREAM_ERROR = (502, "upstream_error")
TIMEOUT = (504, "upstream_timeout")
UNAVAILABLE = (503, "upstream_unavailable")
VALID = (200, "")
# What a client gets: not streamed, then streamed; (200, code) is a stream that had begun and ends with that error.
EXPECTED: dict[str, tuple[tuple[int, str], tuple[int, str]]] = {
    "rate-limit": ((429, "rate_limit_exceeded"),) * 2,
    "quota": ((429, "rate_limit_exceeded"),) * 2,
    "bad-field": ((400, "invalid_field"),) * 2,
    "context-length": ((400, "context_length_exceeded"),) * 2,
    "unauthorized": (UPSTREAM_ERROR,) * 2,
    "unknown-model": (UPSTREAM_ERROR,) * 2,
    "server-error": (UPSTREAM_ERROR,) * 2,
    "shutdown": (UPSTREAM_ERROR,) * 2,
    "busy": (UNAVAILABLE,) * 2,
    "overloaded": (UNAVAILABLE,) * 2,
    "html-error": (UPSTREAM_ERROR,) * 2,
    "html": (UPSTREAM_ERROR,) * 2,
    "redirect": (UPSTREAM_ERROR,) * 2,
    "empty": (UPSTREAM_ERROR,) * 2,
    "hang-before-head": (TIMEOUT,) * 2,
    "hang-after-head": (TIMEOUT,) * 2,
    "hang-mid-answer": (TIMEOUT, (200, "upstream_timeout")),
    "unreachable": (UNAVAILABLE,) * 2,
    "reset-before-head": (UPSTREAM_ERROR,) * 2,
    "close-before-head": (UPSTREAM_ERROR,) * 2,
    "not-http": (UPSTREAM_ERROR,) * 2,
    "huge-head": (UPSTREAM_ERROR,) * 2,
    "reset-mid-answer": (UPSTREAM_ERROR, (200, "upstream_error")),
    "close-mid-answer": (UPSTREAM_ERROR, (200, "upstream_error")),
    "wrong-length": (UPSTREAM_ERROR, VALID),  # [DONE] came before the cut
    "short-length": (UPSTREAM_ERROR, (200, "upstream_error")),
    "no-finish": (UPSTREAM_ERROR, (200, "upstream_error")),
    "no-finish-done": (UPSTREAM_ERROR, (200, "upstream_error")),
    "half-event": (UPSTREAM_ERROR, (200, "upstream_error")),
    "error-event": (UPSTREAM_ERROR, (200, "upstream_error")),
    "malformed-json": (UPSTREAM_ERROR, (200, "upstream_error")),
    "invalid-utf8": (UPSTREAM_ERROR, (200, "upstream_error")),
    "wrong-types": (UPSTREAM_ERROR, (200, "upstream_error")),
    "wrong-content": (UPSTREAM_ERROR, (200, "upstream_error")),
    "wrong-mode": (UPSTREAM_ERROR, UPSTREAM_ERROR),
    "oversize": (UPSTREAM_ERROR, (200, "upstream_error")),
    "long-line": (UPSTREAM_ERROR, (200, "upstream_error")),
    "gzip-bomb": (UPSTREAM_ERROR, (200, "upstream_error")),
    "missing-usage": (VALID,) * 2,
    "null-id": (VALID,) * 2,
    "missing-done": (VALID,) * 2,
    "gzip": (VALID,) * 2,
    "trickle": (VALID,) * 2,
    "odd-events": (VALID,) * 2,
}
ALL = sorted(FAULTS)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run the fake upstream as a server of its own; give its base URL."""
    process = subprocess.Popen([sys.executable, "-m", "gateway.upstream.fake", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[1]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def wire(url: str) -> str:
    limits = 'first_byte_timeout = "500ms"\nidle_timeout = "500ms"\nmax_answer_bytes = 1_000_000\n'
    route = '[routes.wire]\nupstreams = [{ name = "wire", model = "fake" }]\ntimeout = "20s"\n'
    return f'[upstreams.wire]\nkind = "openai"\nbase_url = "{url}"\n{limits}{route}'


def request(fault: str, model: str, *, stream: bool) -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": f"#fake fault={fault}\nHello you there"}]}


def outcome(reply: Reply, *, stream: bool) -> tuple[int, str]:
    """Status and error code of a reply, whose form is checked on the way."""
    assert b"sk-" not in reply.body
    assert b"<html" not in reply.body
    assert b"Traceback" not in reply.body
    if reply.status != 200:
        status, code, _ = reply.error()
        if status in {429, 503}:
            assert int(reply.headers["retry-after"]) >= 1
        return status, code
    if not stream:
        assert reply.json()["choices"][0]["finish_reason"] == "stop"
        return 200, ""
    events = reply.events()
    if events[-1] == "[DONE]":
        assert reply.text() == "echo: Hello you there"
        return 200, ""
    assert "[DONE]" not in events
    return 200, events[-1]["error"]["code"]


def check(gatehouse: Gatehouse, fault: str, model: str, *, stream: bool) -> None:
    allowed = {EXPECTED[fault][stream]}
    if fault == "short-length" and model == "wire":
        allowed.add(UPSTREAM_ERROR)  # what is too much may be seen before the first event is handed on

    async def test(client: Client) -> None:
        reply = await client.post("/v1/chat/completions", request(fault, model, stream=stream))
        assert outcome(reply, stream=stream) in allowed
        assert gatehouse.in_flight == 0

    gatehouse.run(test)
    (line,) = gatehouse.lines("exchange_ended")
    assert line["result"] == ("complete" if EXPECTED[fault][stream] == VALID else "failed")


def test_every_fault_has_an_expectation() -> None:
    assert set(EXPECTED) == set(FAULTS)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", ALL)
def test_in_process(fault: str, stream: bool, tmp_path: Path) -> None:
    check(Gatehouse(tmp_path), fault, "chat", stream=stream)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", ALL)
def test_over_tcp(fault: str, stream: bool, tmp_path: Path, server: str) -> None:
    if fault == "unreachable":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            server = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    check(Gatehouse(tmp_path, wire(server)), fault, "wire", stream=stream)


def test_the_fake_as_a_server_answers_models(server: str) -> None:
    async def main() -> None:
        client = AiohttpClient(server, limits=HttpLimits(), connections=1)
        async with client.send(HttpRequest("GET", "/models", {}), deadline=asyncio.get_running_loop().time() + 5) as response:
            assert response.status == 200
            await response.read()
        await client.close()

    asyncio.run(main())


def test_a_cache_key_is_bound_to_its_tenant() -> None:
    assert bound("salt-a", "key") == bound("salt-a", "key") != bound("salt-b", "key")
