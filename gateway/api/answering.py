"""The answer to one request on its way out: a JSON body or a stream of events, and how either ends when something fails."""

from __future__ import annotations

from gateway.api.door import Disconnect
from gateway.api.envelope import error_body, error_headers
from gateway.api.incoming import Message, Send
from gateway.errors import ClientError
from gateway.wire.sse import DONE

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")
_EVENTS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Proxies such as nginx would hold a stream back otherwise.
    (b"x-accel-buffering", b"no"),
]


class Answering:
    """Sends one answer: `json`, or `open`, `events` and `done`, or what another application sends through `passing`."""

    __slots__ = ("_id", "_line", "_send", "ended", "started", "streaming")

    def __init__(self, send: Send, request_id: str, line: Disconnect | None = None) -> None:
        self._send = send
        self._line = line
        self._id = (b"x-request-id", request_id.encode())
        self.started = False
        self.ended = False
        self.streaming = False

    async def json(self, body: bytes, *, status: int = 200, headers: Headers | None = None) -> None:
        """Send a whole JSON body."""
        all_headers = [self._id, _JSON, (b"content-length", b"%d" % len(body)), *(headers or ())]
        self.started = self.ended = True
        if self._line is not None and self._line.write(status, all_headers, body):
            return
        await self._send({"type": "http.response.start", "status": status, "headers": all_headers})
        await self._send({"type": "http.response.body", "body": body})

    async def open(self, headers: Headers) -> None:
        """Start a stream of server-sent events."""
        self.streaming = True
        self.started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": [self._id, *_EVENTS, *headers]})

    async def events(self, events: bytes) -> None:
        """Send encoded events; `open` comes first."""
        await self._send({"type": "http.response.body", "body": events, "more_body": True})

    async def done(self) -> None:
        """End a stream as complete."""
        await self._end(DONE)

    async def fail(self, error: ClientError) -> None:
        """Tell of an error: as the answer, or as the last event of a stream that had begun, then without `[DONE]`."""
        if self.ended:
            return
        body = error_body(error)
        if self.streaming:
            await self._end(b"data: " + body + b"\n\n")
        elif not self.started:
            await self.json(body, status=error.status, headers=error_headers(error))

    async def passing(self, message: Message) -> None:
        """Send another application's message, with our request id."""
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [self._id, *message.get("headers", ())]
        elif not message.get("more_body", False):
            self.ended = True
        await self._send(message)

    async def _end(self, last: bytes) -> None:
        self.ended = True
        await self._send({"type": "http.response.body", "body": last})
