"""The fake in process: an implementation of `gateway.http.contract.HttpClient` that answers by itself."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext

from gateway.http.contract import HttpBroken, HttpLimits, HttpRequest, HttpTimeout, HttpUnreachable
from gateway.upstream.fake.answer import Answer, Cut, Part, Raw, Wait
from gateway.upstream.fake.behaviour import Behaviour
from gateway.upstream.fake.damage import BLOCK, GZIP_WINDOW
from gateway.upstream.fake.ledger import Ledger, Served
from gateway.wire.sse import DONE


class FakeClient:
    """Answers requests in process, under the deadlines and sizes of `limits`, as a client on a network would see it.

    Each event of a stream is one read. Bodies in gzip are unpacked, as an HTTP client does.
    """

    def __init__(self, behaviour: Behaviour | None = None, *, limits: HttpLimits | None = None) -> None:
        self._behaviour = behaviour or Behaviour()
        self._limits = limits or HttpLimits()

    @property
    def ledger(self) -> Ledger:
        """What was served, counted by the upstream itself."""
        return self._behaviour.ledger

    @property
    def served(self) -> tuple[Served, ...]:
        """The latest requests, oldest first."""
        return self.ledger.served

    @asynccontextmanager
    async def send(self, request: HttpRequest, *, deadline: float) -> AsyncIterator[FakeResponse]:
        """Answer a request; see `gateway.http.contract.HttpClient`."""
        loop = asyncio.get_running_loop()
        expires = min(loop.time() + self._limits.first_byte, deadline)
        if loop.time() >= expires:
            raise HttpTimeout
        answer, served = self._behaviour.answer(request)
        with served or nullcontext():
            for part in answer.before:
                await _perform(part, served, expires)
            # A head comes out of the event loop, never at once.
            await asyncio.sleep(0)
            if answer.whole and served is not None:
                served.end("complete")
            yield FakeResponse(answer, served, limits=self._limits, deadline=deadline)

    async def close(self) -> None:
        """Nothing is open."""


class FakeResponse:
    """An answer whose head has arrived."""

    def __init__(self, answer: Answer, served: Served | None, *, limits: HttpLimits, deadline: float) -> None:
        self._answer = answer
        self._served = served
        self._limits = limits
        self._deadline = deadline

    @property
    def status(self) -> int:
        """The status code."""
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names compare without case."""
        return self._answer.headers

    async def reads(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; see `gateway.http.contract.HttpResponse`."""
        size = 0
        unpack = _Gunzip() if self.headers.get("content-encoding") == "gzip" else _plain
        loop = asyncio.get_running_loop()
        expires = self._expires(loop)
        for part in self._answer.parts:
            if not isinstance(part, bytes):
                if isinstance(part, Raw):
                    break
                await _perform(part, self._served, expires)
                continue
            # One read of a socket is one turn of the event loop.
            await asyncio.sleep(0)
            for data in unpack(part):
                if loop.time() >= expires:
                    raise HttpTimeout
                size += len(data)
                if size > self._limits.max_answer_bytes:
                    raise HttpBroken("longer than max_answer_bytes")
                if data.endswith(DONE) and self._served is not None and not self._served.fault:
                    # Who leaves after this has all there is.
                    self._served.end("complete")
                yield data
                # What the reader does with it takes none of the time for the next.
                expires = self._expires(loop)
        if self._served is not None:
            self._served.end("complete")

    async def read(self) -> bytes:
        """Return the whole body; raises as `reads` does."""
        return b"".join([data async for data in self.reads()])

    def _expires(self, loop: asyncio.AbstractEventLoop) -> float:
        return min(loop.time() + self._limits.idle, self._deadline)


async def _perform(part: Part, served: Served | None, expires: float) -> None:
    """Do what a part that is no data does, until `expires` at the latest."""
    if isinstance(part, Wait):
        await _wait(part.seconds, expires)
        return
    if served is not None:
        served.end("cut")
    if isinstance(part, Cut) and part.how == "unreachable":
        raise HttpUnreachable("the fake does not listen")
    raise HttpBroken("the fake broke the answer")


async def _wait(seconds: float, expires: float) -> None:
    left = expires - asyncio.get_running_loop().time()
    await asyncio.sleep(max(0.0, min(seconds, left)))
    if seconds >= left:
        raise HttpTimeout


def _plain(data: bytes) -> Iterator[bytes]:
    if data:
        yield data


class _Gunzip:
    """Unpacks gzip in pieces of bounded size, so that a small part cannot become a large one."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=GZIP_WINDOW)

    def __call__(self, data: bytes) -> Iterator[bytes]:
        while data:
            yield from _plain(self._unpacker.decompress(data, BLOCK))
            data = self._unpacker.unconsumed_tail
