"""The floor: the least that a gateway in Python does. uvicorn, one raw ASGI function and a lean HTTP/1.1 client, nothing else.

It reads the request's body, forwards it, relays the answer as it arrives. It checks nothing, has no deadline and no limit:
it says what a gateway costs, it is none. Run as `python -m tests.bench.floor PORT UPSTREAM_PORT`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, cast

import httptools
import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


RELAYED = (b"content-type", b"content-length")
LENGTHS = (12, 14)


class Answer(Protocol):
    """An answer whose head has arrived."""

    status: int
    headers: list[tuple[bytes, bytes]]

    @property
    def done(self) -> bool:
        """Whether the whole body has been read."""

    def reads(self) -> AsyncIterator[bytes]:
        """Yield the body, everything of one socket read at a time."""


Post = Callable[[bytes], AbstractAsyncContextManager[Answer]]
"""Send a body to the upstream's chat completions."""


class Connection(asyncio.Protocol):
    """One kept-alive connection to the upstream, with at most one request on it; it is its own answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport
        self._head = False
        self._done = True
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not its subclasses

    def connection_lost(self, exc: Exception | None) -> None:
        self._done = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        if self._head and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) in LENGTHS and (lower := name.lower()) in RELAYED:
            self.headers.append((lower, value))

    def on_headers_complete(self) -> None:
        self._head = True
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._done = True

    @property
    def done(self) -> bool:
        return self._done

    @property
    def closed(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()

    async def send(self, request: bytes) -> None:
        """Write a request and wait for the head of its answer."""
        self._head = self._done = False
        self._parts.clear()
        self.headers.clear()
        self._transport.write(request)
        await self._more()

    async def reads(self) -> AsyncIterator[bytes]:
        while True:
            if self._parts:
                data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
                self._parts.clear()
                yield data
            elif self._done:
                return
            else:
                await self._more()

    async def _more(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter


class Client:
    """A pool of connections to one upstream on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Connection] = []
        self._head = (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n"
            b"content-type: application/json\r\ncontent-length: " % port
        )

    @asynccontextmanager
    async def post(self, body: bytes) -> AsyncIterator[Answer]:
        connection = await self._connection()
        try:
            await connection.send(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
            yield connection
        finally:
            if connection.done and not connection.closed:
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close the connections that are not in use."""
        for connection in self._idle:
            connection.close()

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(loop), "127.0.0.1", self._port)
        return connection


def forwarder(post: Post) -> App:
    """Return the ASGI application that relays every request through `post`."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        del scope
        body = await _body(receive)
        async with post(body) as answer:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            more = True
            async for data in answer.reads():
                more = not answer.done
                await send({"type": "http.response.body", "body": data, "more_body": more})
        if more:
            await send({"type": "http.response.body", "body": b""})

    return app


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if not message.get("more_body"):
        return bytes(message["body"])
    parts = [message["body"]]
    while message.get("more_body"):
        message = await receive()
        parts.append(message["body"])
    return b"".join(parts)


def serve(app: App, port: int) -> None:
    """Serve an application on 127.0.0.1 the way that costs least."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=600,
    )


if __name__ == "__main__":
    serve(forwarder(Client(int(sys.argv[2])).post), int(sys.argv[1]))
