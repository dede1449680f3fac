"""Cases reach a gateway over HTTP or in this process, as any caller's request would."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from gateway.caller.keys import open_keys
from gateway.cli.prompts.sending import KEY_LIFE, InProcess, OverHttp, Reply, gateway_here, host_of, living
from gateway.errors import SettingsError
from gateway.settings.load import load
from gateway.settings.tree import Server, Settings

TOML = """
[upstreams.fake]
kind = "fake"
[routes.chat]
upstreams = [{ name = "fake", model = "fake" }]
[tenants.acme]
"""
HELLO = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}


class Answering(BaseHTTPRequestHandler):
    """A gateway that says what it was asked."""

    asked: ClassVar[list[tuple[str, str, Any]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.asked.append((self.path, self.headers["authorization"], msgspec.json.decode(body)))
        self.send_response(418)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
        """Say nothing."""


@contextmanager
def answering() -> Iterator[str]:
    Answering.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("below", ["", "/", "/v1", "/v1/"])
def test_a_gateway_is_asked_at_its_url(below: str) -> None:
    with answering() as url:
        reply = asyncio.run(OverHttp(url + below, "gth_key").post(HELLO))
    assert reply == Reply(418, b"{}")
    assert Answering.asked == [("/v1/chat/completions", "Bearer gth_key", HELLO)]


def test_a_gateway_behind_a_path_is_asked_below_it() -> None:
    with answering() as url:
        asyncio.run(OverHttp(f"{url}/llm/v1", "k").post(HELLO))
    assert Answering.asked[0][0] == "/llm/v1/chat/completions"


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://127.0.0.1", "http://", "/v1"])
def test_a_url_that_is_none_is_wrong_use(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^--url: must be an address such as"):
        OverHttp(url, "k")


def test_a_gateway_that_is_not_there_is_told() -> None:
    with answering() as url:
        pass
    with pytest.raises(SettingsError, match=rf"^--url: {url} does not answer \(ConnectionRefusedError\): is .*"):
        asyncio.run(OverHttp(url, "k").post(HELLO))


class App:
    """An ASGI application that notes its life."""

    def __init__(self, start: str = "") -> None:
        self.start = start
        self.life: list[str] = []
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            self.scopes.append((scope, await receive()))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            await send({"type": "http.response.body", "body": b"b"})
            return
        self.life.append((await receive())["type"])
        if self.start:
            await send({"type": "lifespan.startup.failed", "message": self.start})
            raise SettingsError(self.start)
        await send({"type": "lifespan.startup.complete"})
        self.life.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})


def test_an_application_is_asked_as_its_server_would() -> None:
    app = App()

    async def main() -> Reply:
        async with living(app):
            assert app.life == ["lifespan.startup"]
            return await InProcess(app, "gth_key", host="gate").post(HELLO)

    assert asyncio.run(main()) == Reply(200, b"ab")
    assert app.life == ["lifespan.startup", "lifespan.shutdown"]
    ((scope, body),) = app.scopes
    assert (scope["method"], scope["path"]) == ("POST", "/v1/chat/completions")
    assert dict(scope["headers"]) == {
        b"host": b"gate", b"content-type": b"application/json", b"authorization": b"Bearer gth_key"
    }  # fmt: skip
    assert msgspec.json.decode(body["body"]) == HELLO


def test_an_application_is_shut_down_also_when_something_fails() -> None:
    app = App()

    async def main() -> None:
        async with living(app):
            raise ValueError("in between")

    with pytest.raises(ValueError, match="in between"):
        asyncio.run(main())
    assert app.life == ["lifespan.startup", "lifespan.shutdown"]


def test_an_application_that_does_not_start_says_why() -> None:
    async def main() -> None:
        async with living(App("no database")):
            raise AssertionError

    with pytest.raises(SettingsError, match="no database"):
        asyncio.run(main())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "gateway.toml"
    file.write_text(TOML)
    return load(file, {})


def test_the_whole_gateway_answers_in_this_process_and_enters_what_it_does(settings: Settings) -> None:
    async def main() -> Reply:
        async with living(application):
            return await sender.post(HELLO)

    with gateway_here(settings, "acme") as (application, sender):
        reply = asyncio.run(main())
    assert (reply.status, msgspec.json.decode(reply.body)["model"]) == (200, "chat")
    assert (settings.store.path / "log" / "0").is_dir()


def test_the_key_of_a_run_is_one_of_a_prompt_engineer_and_ends_with_it(settings: Settings) -> None:
    with pytest.raises(ValueError, match="in between"), gateway_here(settings, "acme"):
        raise ValueError("in between")
    keys = open_keys(settings.store)
    (record,) = keys.list()
    keys.close()
    assert (record.tenant, record.role) == ("acme", "prompt-engineer")
    assert record.revoked is not None
    assert record.expires is not None
    assert 0 < record.expires - record.created <= KEY_LIFE


@pytest.mark.parametrize(("hosts", "host"), [(("localhost",), "localhost"), (("*", "gate"), "gate"), (("*",), "localhost")])
def test_the_gateway_in_this_process_is_called_by_a_name_that_it_takes(hosts: tuple[str, ...], host: str) -> None:
    assert host_of(Settings(server=Server(allowed_hosts=hosts))) == host
