"""The fast fake upstream: OpenAI's chat completions from prepared bytes, cheap enough not to be the bottleneck.

Run as `python -m tests.bench.upstream PORT`. Every event of a stream is an HTTP chunk of its own.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Final, cast

import httptools
import uvloop

from tests.bench.bodies import BURST, BURST_EVENTS, PACE, PACED, completion, events

_STREAM = re.compile(rb'"stream"\s*:\s*true')
_PACED = re.compile(rb'"model"\s*:\s*"paced"')
_HEAD = b"HTTP/1.1 200 OK\r\nserver: fake\r\n"
_STREAM_HEAD = _HEAD + b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


def _chunked(parts: list[bytes]) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(part), part) for part in parts] + [b"0\r\n\r\n"]


def _joined(parts: list[bytes], size: int) -> list[bytes]:
    return [b"".join(parts[start : start + size]) for start in range(0, len(parts), size)]


def _plain() -> bytes:
    body = completion()
    return _HEAD + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


_PLAIN_ANSWER: Final = _plain()
_BURST_WRITES: Final = _joined(_chunked(events(BURST)), BURST_EVENTS)
_PACED_WRITES: Final = _chunked(events(PACED))


class Answering(asyncio.Protocol):
    """One connection: reads requests, answers each by the model that it names."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._timer: asyncio.Handle | None = None
        self._transport: asyncio.Transport
        self._socket = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not its subclasses
        self._socket = transport.get_extra_info("socket").fileno()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self._body)
        self._body.clear()
        if not _STREAM.search(body):
            self._transport.write(_PLAIN_ANSWER)
        elif _PACED.search(body):
            self._transport.write(_STREAM_HEAD)
            self._pace(0, self._loop.time())
        else:
            self._transport.write(_STREAM_HEAD)
            self._burst(0)

    def _burst(self, position: int) -> None:
        """Write some events; the next follow in the next round of the event loop, or the transport would join them."""
        self._transport.write(_BURST_WRITES[position])
        if position + 1 < len(_BURST_WRITES):
            self._timer = self._loop.call_soon(self._burst, position + 1)

    def _pace(self, position: int, start: float) -> None:
        if position < len(_PACED_WRITES) - 4:
            self._transport.write(_PACED_WRITES[position])
            self._timer = self._loop.call_at(start + (position + 1) * PACE, self._pace, position + 1, start)
        else:
            self._transport.writelines(_PACED_WRITES[position:])


async def serve(port: int) -> None:
    """Answer on 127.0.0.1 until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(loop), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
