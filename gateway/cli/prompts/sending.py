"""How a prompt's cases reach a gateway: over HTTP, or in this process through its ASGI application, with nothing left out."""

from __future__ import annotations

import asyncio
import http.client
import io
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from gateway.cli.entering import entering
from gateway.errors import SettingsError
from gateway.exchange.tasks import Tasks
from gateway.settings.tree import Settings

PATH: Final = "/v1/chat/completions"
SILENCE: Final = 600.0
"""Seconds that a gateway at a URL may take to answer: its routes' own deadlines are shorter."""
KEY_LIFE: Final = 3600
"""Seconds that the key of a run in this process lives, should the process be killed before it revokes it."""

Json = dict[str, Any]
_Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """A gateway's answer."""

    status: int
    body: bytes


class Sender(Protocol):
    """The way to a gateway."""

    async def post(self, body: Json) -> Reply:
        """Ask for a chat completion; raises `SettingsError` where nobody answers."""


class OverHttp:
    """A gateway that runs, at a URL such as `http://127.0.0.1:8080`."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")
        parts = urlsplit(self._url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise SettingsError('--url: must be an address such as "http://127.0.0.1:8080"')
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host = parts.netloc
        self._path = parts.path + PATH
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}

    async def post(self, body: Json) -> Reply:
        """Ask for a chat completion."""
        return await asyncio.to_thread(self._post, msgspec.json.encode(body))

    def _post(self, body: bytes) -> Reply:
        connection = self._kind(self._host, timeout=SILENCE)
        try:
            connection.request("POST", self._path, body=body, headers=self._headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise SettingsError(
                f"--url: {self._url} does not answer ({type(error).__name__}): is the gateway running?"
            ) from error
        finally:
            connection.close()


class InProcess:
    """A gateway's ASGI application in this process."""

    def __init__(self, application: Callable[..., Any], key: str, *, host: str) -> None:
        self._application = application
        self._headers = [
            (b"host", host.encode()),
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {key}".encode()),
        ]

    async def post(self, body: Json) -> Reply:
        """Ask for a chat completion."""
        request = {"type": "http.request", "body": msgspec.json.encode(body), "more_body": False}
        sent: list[_Message] = []

        async def receive() -> _Message:
            return request

        async def send(message: _Message) -> None:
            sent.append(message)

        await self._application(self._scope(), receive, send)
        return Reply(sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]))

    def _scope(self) -> Json:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": self._headers,
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 0),
            "extensions": {},
        }


@asynccontextmanager
async def living(application: Callable[..., Any]) -> AsyncIterator[None]:
    """Start an ASGI application, and shut it down at the end; raises what keeps it from starting."""
    told: asyncio.Queue[_Message] = asyncio.Queue()
    said: asyncio.Queue[_Message] = asyncio.Queue()
    life = Tasks().begin(application({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, told.get, said.put))
    await told.put({"type": "lifespan.startup"})
    if (await said.get())["type"] != "lifespan.startup.complete":
        await life
    try:
        yield
    finally:
        await told.put({"type": "lifespan.shutdown"})
        await life


@contextmanager
def gateway_here(settings: Settings, tenant: str) -> Iterator[tuple[Callable[..., Any], InProcess]]:
    """Build the gateway in this process, and the way to it with a key that `tenant` pays for, revoked at the end.

    The application is to be started by `living`, which also closes it. It waits for files: no event loop may run yet.
    """
    from gateway.api.server import Draining  # noqa: PLC0415  # the whole gateway, which no other command needs
    from gateway.app import Application  # noqa: PLC0415
    from gateway.caller.keys import open_keys  # noqa: PLC0415
    from gateway.telemetry.log import open_log  # noqa: PLC0415
    from gateway.telemetry.metrics import Metrics  # noqa: PLC0415
    from gateway.telemetry.observer import Observer  # noqa: PLC0415

    with closing(open_keys(settings.store)) as keys, io.FileIO(os.devnull, "wb") as nowhere, open_log(nowhere) as log:
        with entering(settings) as entries:
            until = int(time.time()) + KEY_LIFE
            key, record = keys.create(tenant, role="prompt-engineer", expires=until, enter=entries.key_created)
        try:
            application = Application(settings, draining=Draining(), observer=Observer(Metrics(), log)).asgi
            yield application, InProcess(application, key, host=host_of(settings))
        finally:
            keys.revoke(record.id)
            with entering(settings) as entries:
                entries.key_revoked(record)


def host_of(settings: Settings) -> str:
    """Return a name that the gateway answers to."""
    return next((host for host in settings.server.allowed_hosts if host != "*"), "localhost")
