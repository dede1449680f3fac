"""The fake over TCP: the same behaviour, served by uvicorn's protocol, with faults that are real on the network."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.http.contract import HttpRequest
from gateway.upstream.fake.answer import Answer, Cut, Part, Raw, Wait, json_answer
from gateway.upstream.fake.behaviour import Behaviour
from gateway.upstream.fake.ledger import Served

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LEDGER = "/fake/requests"
EXTENSION = "gatehouse.transport"

FLUSH = 0.02
"""Seconds between the last bytes and a reset, which would otherwise overtake them in the client's kernel."""

LINGER_NEVER = struct.pack("ii", 1, 0)
MAX_WAIT = 60.0
GRACE = 5.0
"""Seconds in which requests that lost their connection must have ended."""

END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class App:
    """The ASGI application: completions, models, health, metrics, and the ledger under `/fake/requests`.

    `GET /fake/requests?idle=5` waits up to five seconds until nothing runs, `?reached=3&within=5` until three requests have
    arrived; `DELETE /fake/requests` forgets what has ended.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that leaves cancels the answer at once."""
        body = await _body(receive)
        if body is None:
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = HttpRequest(scope["method"], scope["path"], headers, body)
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(self._answer(request, scope, send))
            watching = group.create_task(_cancel_when_gone(receive, answering))
            answering.add_done_callback(lambda _task: watching.cancel())

    async def _answer(self, request: HttpRequest, scope: Scope, send: Send) -> None:
        wire = _Wire(scope["extensions"][EXTENSION], send)
        if request.path == LEDGER:
            await wire.perform(await self._ledger(request.method, scope["query_string"].decode("latin-1")), None)
            return
        answer, served = self._behaviour.answer(request)
        with served or nullcontext():
            await wire.perform(answer, served)

    async def _ledger(self, method: str, query: str) -> Answer:
        ledger = self._behaviour.ledger
        if method == "DELETE":
            ledger.clear()
        asked = dict(parse_qsl(query))
        try:
            idle, within = float(asked.get("idle", 0)), float(asked.get("within", 0))
            reached = int(asked.get("reached", 0))
        except ValueError:
            idle = within = math.nan
        if not (0 <= idle <= MAX_WAIT and 0 <= within <= MAX_WAIT):
            return json_answer({"error": f"idle and within are 0 to {MAX_WAIT:g} seconds, reached is a number"}, status=400)
        if reached:
            await ledger.reached(reached, seconds=within)
        if idle:
            await ledger.idle(idle)
        return json_answer(ledger.report())


async def _body(receive: Receive) -> bytes | None:
    """Return a request's body, or None when the client left before it was all there."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)


async def _cancel_when_gone(receive: Receive, answering: asyncio.Task[None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    answering.cancel()


class _Wire:
    """Performs answers on one connection."""

    def __init__(self, transport: asyncio.Transport, send: Send) -> None:
        self._transport = transport
        self._send = send

    async def perform(self, answer: Answer, served: Served | None) -> None:
        for part in answer.before:
            await self._do(part, served, headed=False)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        last = END
        for part in answer.parts:
            if answer.whole and isinstance(part, bytes):
                last = {**END, "body": part}
            else:
                await self._do(part, served, headed=True)
        # Entered first: once the last byte is out the client may ask for the ledger.
        if served is not None:
            served.end("complete")
        await self._send(last)

    async def _do(self, part: Part, served: Served | None, *, headed: bool) -> None:
        if isinstance(part, bytes):
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
            # Each part is a packet of its own, and a client that left is noticed between two of them.
            await asyncio.sleep(0)
        elif isinstance(part, Wait):
            await (asyncio.sleep(part.seconds) if part.seconds < math.inf else _forever())
        else:
            await self._break(part, served, headed=headed)

    async def _break(self, part: Cut | Raw, served: Served | None, *, headed: bool) -> None:
        """End the connection; the answer goes no further, and is cancelled when the connection is gone."""
        if served is not None:
            served.end("complete" if headed and isinstance(part, Raw) else "cut")
        if isinstance(part, Cut) and part.how != "close":
            await asyncio.sleep(FLUSH)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NEVER)
            self._transport.abort()
        elif isinstance(part, Raw):
            if headed:
                await self._send(END)
            self._transport.write(part.data)
        self._transport.close()
        await _forever()


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also hands the connection to the application: a fault must reach below HTTP."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: self.transport}  # type: ignore[dict-item]  # ours, not the standard's


@asynccontextmanager
async def serving(behaviour: Behaviour, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve on this event loop and give the base URL; leaving resets every connection. Port 0 takes a free one."""
    config = uvicorn.Config(
        App(behaviour), interface="asgi3", proxy_headers=False, lifespan="off", log_config=None, access_log=False, ws="none"
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(config, state, {}, loop), host, port, backlog=2048)
    try:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=GRACE)
        await server.wait_closed()
