r"""A house with one kind of door: real connections to the product's protocol class, and an app that tests can watch.

async with house() as home, home.client() as client:
    client.send(b"GET /echo HTTP/1.1\r\nhost: a\r\n\r\n")
    assert (await client.answer()).status == 200
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import msgspec
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.api.door import DISCONNECT, Disconnect, Door, DoorLimits
from gateway.api.incoming import Message, Receive, Scope, Send
from gateway.api.server import Draining, configuration

LIMITS = DoorLimits(max_header_bytes=2048, max_body_bytes=65_536, header_timeout=8.0, body_timeout=8.0, idle_timeout=8.0)
SWEEP = 0.02
"""Seconds between two sweeps: more often than the server does it, so that tests may use short deadlines."""
PATIENCE = 10.0
"""Seconds after which a test gives up on what has to happen."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test on the event loop of production."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


@dataclass
class App:
    """An ASGI app with a behaviour for each path; what happened is kept for the test.

    While `draining` all is 503. /echo answers with the body, /whole does it in one write where that can be; /early answers
    before it reads; /begin starts an answer and then
    waits; /hold waits for ever, as a handler that is cancelled does; /watch waits for the disconnect, as a handler that is not
    cancelled does; /flood writes until it is stopped; /broken writes much and fails; /close answers and asks for the connection's
    end; /pid tells the process.
    """

    draining: Draining = field(default_factory=Draining)
    lifespan: str = "good"
    shut_down: asyncio.Event = field(default_factory=asyncio.Event)
    started: list[str] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    reads: int = 0
    flooded: int = 0
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self.draining.begun:
            await _answer(send, b"", status=503)
            return
        path = scope["path"]
        self.started.append(path)
        self.scopes.append(scope)
        disconnect: Disconnect = scope.get("extensions", {}).get(DISCONNECT, Disconnect())
        if path not in {"/watch", "/early"}:
            disconnect.task = asyncio.current_task()
        try:
            await getattr(self, "_" + path.strip("/"))(receive, send)
        except asyncio.CancelledError:
            self.cancelled.set()
            if not disconnect.gone:
                await _answer(send, b"", status=503)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        if self.lifespan == "fails":
            raise ValueError("no database")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self.lifespan == "hangs":
            await self.release.wait()
        self.shut_down.set()
        await send({"type": "lifespan.shutdown.complete"})

    async def _echo(self, receive: Receive, send: Send) -> None:
        await _answer(send, await self._read(receive))

    async def _whole(self, receive: Receive, send: Send) -> None:
        body = await self._read(receive)
        disconnect: Disconnect = self.scopes[-1].get("extensions", {}).get(DISCONNECT, Disconnect())
        if disconnect.write(200, [(b"content-length", b"%d" % len(body)), (b"x-way", b"whole")], body):
            assert not disconnect.write(200, [], b"twice")
        else:
            await _answer(send, body)

    async def _early(self, _receive: Receive, send: Send) -> None:
        await _answer(send, b"no", status=401)

    async def _close(self, receive: Receive, send: Send) -> None:
        await _answer(send, await self._read(receive), connection=b"close")

    async def _pid(self, _receive: Receive, send: Send) -> None:
        await _answer(send, b"%d" % os.getpid())

    async def _broken(self, _receive: Receive, send: Send) -> None:
        self.waiting.set()
        await self.release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(33_554_432), "more_body": True})
        raise ValueError

    async def _begin(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        self.waiting.set()
        await self._read(receive)

    async def _hold(self, receive: Receive, send: Send) -> None:
        body = await self._read(receive)
        self.waiting.set()
        await self.release.wait()
        await _answer(send, body)

    async def _watch(self, receive: Receive, _send: Send) -> None:
        await self._read(receive)
        self.waiting.set()
        message = await receive()
        assert message["type"] == "http.disconnect"
        self.disconnected.set()

    async def _flood(self, receive: Receive, send: Send) -> None:
        await self._read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": bytes(16_384), "more_body": True})
            self.flooded += 16_384

    async def _read(self, receive: Receive) -> bytes:
        body = b""
        while True:
            message = await receive()
            self.reads += 1
            if message["type"] == "http.disconnect":
                self.disconnected.set()
                raise asyncio.CancelledError
            part: bytes = message["body"]
            body += part
            if not message["more_body"]:
                return body


async def _answer(send: Send, body: bytes, status: int = 200, connection: bytes | None = None) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    if connection is not None:
        headers.append((b"connection", connection))
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True)
class Answer:
    """A response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code in OpenAI's envelope, whose shape is checked on the way."""
        assert self.headers["content-type"] == "application/json"
        assert len(self.headers["x-request-id"]) == 36
        assert self.headers["connection"] == "close"
        error = msgspec.json.decode(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["message"]
        code: str = error["code"]
        return code


class Client:
    """One raw connection; `opened` is from when it was asked for: the other side's deadlines run from later."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, opened: float) -> None:
        self._reader = reader
        self.writer = writer
        self.opened = opened

    def send(self, data: bytes) -> None:
        """Write, whether or not anybody reads."""
        self.writer.write(data)

    async def answer(self, *, head_only: bool = False) -> Answer:
        """Read one response."""
        async with asyncio.timeout(PATIENCE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            status = int(head[0].split(" ")[1])
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = b""
            if not head_only and "content-length" in headers:
                body = await self._reader.readexactly(int(headers["content-length"]))
            return Answer(status, headers, body)

    async def some(self) -> bytes:
        """Read whatever comes next."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read(65_536)

    def leave(self, goodbye: str) -> None:
        """Go: "close" orderly, "half-close" as one who has said all, "reset" without taking leave."""
        if goodbye == "half-close":
            self.writer.write_eof()
        elif goodbye == "close":
            self.writer.close()
        else:
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()

    async def rest(self) -> bytes:
        """Read until the other side closes; a reset counts as such."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._reader.read()
        except ConnectionResetError:
            return b""

    async def end(self) -> None:
        """Read until the other side closes, however long that takes; a reset counts as such."""
        with suppress(ConnectionResetError):
            await self._reader.read()

    @asynccontextmanager
    async def dribbling(self, piece: bytes, every: float) -> AsyncIterator[None]:
        """Send a piece again and again meanwhile."""

        async def dribble() -> None:
            while not self.writer.transport.is_closing():
                self.send(piece)
                await asyncio.sleep(every)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(dribble())
            try:
                yield
            finally:
                task.cancel()


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    """Connect to a port of this machine."""
    opened = monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer, opened=opened)
    finally:
        writer.transport.abort()


@dataclass
class House:
    """An open house."""

    app: App
    state: ServerState
    port: int
    refusals: list[tuple[str, str]] = field(default_factory=list)

    @property
    def refused(self) -> list[str]:
        """The codes of refusals that were reported."""
        return [code for code, _ in self.refusals]

    @property
    def door(self) -> Door:
        """The door of the only connection."""
        (door,) = self.state.connections
        assert isinstance(door, Door)
        return door

    def client(self) -> AbstractAsyncContextManager[Client]:
        """Connect."""
        return connect(self.port)

    async def empty(self) -> None:
        """Wait until no connection and no task is left."""
        await self.until(lambda: not self.state.connections and not self.state.tasks)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that no event tells of."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(SWEEP)


@asynccontextmanager
async def house(limits: DoorLimits = LIMITS, *, protocol: type[HttpToolsProtocol] = Door) -> AsyncIterator[House]:
    """Open a house; `protocol` other than `Door` is for controls."""
    app = App()
    refusals: list[tuple[str, str]] = []
    config: uvicorn.Config = configuration(app, limits, report=lambda _error, _place: None)
    config.load()
    state = ServerState()
    make = (
        partial(Door, limits=limits, on_refused=lambda code, request_id: refusals.append((code, request_id)))
        if protocol is Door
        else protocol
    )
    server = await asyncio.get_running_loop().create_server(lambda: make(config, state, {}), "127.0.0.1", 0)
    async with asyncio.TaskGroup() as group:
        sweeper = group.create_task(_sweep(state))
        try:
            yield House(app, state, server.sockets[0].getsockname()[1], refusals)
        finally:
            sweeper.cancel()
            server.close()
            for connection in tuple(state.connections):
                connection.transport.abort()
            app.release.set()


async def _sweep(state: ServerState) -> None:
    while True:
        for door in tuple(state.connections):
            if isinstance(door, Door):
                door.sweep(monotonic() + SWEEP)
        await asyncio.sleep(SWEEP)
