"""`python -m gateway.upstream.fake` serves until it is told to stop, and then exits with 0."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.http.client import AiohttpClient
from gateway.http.contract import HttpBroken, HttpRequest
from tests.upstream.fake.asking import PATIENT, Reply, body_of, send

COMMAND = [sys.executable, "-m", "gateway.upstream.fake"]


@contextmanager
def running(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready, _, url = process.stdout.readline().strip().partition(" ")
            assert ready == "ready"
            yield url, process
        finally:
            process.kill()


def ask(url: str, content: str, **headers: str) -> Reply:
    async def story() -> Reply:
        client = AiohttpClient(url, limits=PATIENT, connections=1)
        try:
            return await send(client, body_of(content), headers=headers)
        finally:
            await client.close()

    return asyncio.run(story())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_answers_and_stops_when_told(number: signal.Signals) -> None:
    with running("--port", "0") as (url, process):
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/v1")
        assert ask(url, "hi").text == "echo: hi"
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "", "")


def test_it_stops_although_a_request_hangs() -> None:
    async def leave_hanging(url: str, process: subprocess.Popen[str]) -> None:
        client = AiohttpClient(url, limits=PATIENT, connections=1)
        request = HttpRequest("POST", "/chat/completions", {}, body_of("#fake fault=hang-mid-answer", stream=True))
        async with client.send(request, deadline=asyncio.get_running_loop().time() + 30) as response:
            reads = aiter(response.reads())
            assert b"assistant" in await anext(reads)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(HttpBroken):
                while True:
                    await anext(reads)
        await client.close()

    with running() as (url, process):
        asyncio.run(leave_hanging(url, process))
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_its_options_make_its_character() -> None:
    options = ("--api-key", "k", "--model", "m", "--model", "n", "--context-window", "100", "--directive", "text=standing")
    with running(*options) as (url, _):
        assert ask(url, "hi").status == 401
        assert ask(url, "hi", authorization="Bearer k").text == "standing"
        assert ask(url, "x" * 500, authorization="Bearer k").json["error"]["param"] == "input_tokens"


def test_an_unknown_option_is_refused() -> None:
    finished = subprocess.run([*COMMAND, "--speed", "1"], check=False, capture_output=True, text=True, timeout=30)
    assert finished.returncode == 2
    assert "--speed" in finished.stderr
