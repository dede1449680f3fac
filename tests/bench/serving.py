"""A server for the tests of this folder, which leaves nothing open behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from tests.bench.upstream import Answering


class _Watched(asyncio.Protocol):
    """Passes everything on to a protocol, and is in `opened` as long as its connection lives."""

    def __init__(self, inner: asyncio.Protocol, opened: set[_Watched], ended: asyncio.Event) -> None:
        self._inner = inner
        self._opened = opened
        self._ended = ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._opened.add(self)
        self._ended.clear()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
        self._opened.discard(self)
        if not self._opened:
            self._ended.set()


@asynccontextmanager
async def serving(make: Callable[[], asyncio.Protocol] | None = None) -> AsyncIterator[int]:
    """Serve on a free port, which is given: the fake upstream, or what is made. Leaving waits for every connection's end."""
    loop = asyncio.get_running_loop()
    opened: set[_Watched] = set()
    ended = asyncio.Event()
    ended.set()
    inner = make or (lambda: Answering(loop))
    server = await loop.create_server(lambda: _Watched(inner(), opened, ended), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(ended.wait(), 5)


class Saying(asyncio.Protocol):
    """Answers every request with the same bytes, or with silence; hangs up after the first where it is to."""

    def __init__(self, answer: bytes, *, hang_up: bool = False) -> None:
        self._answer = answer
        self._hang_up = hang_up
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"}"):
            self._transport.write(self._answer)
            if self._hang_up:
                self._transport.close()
