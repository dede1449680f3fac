"""The HTTP/1.1 edge below ASGI: uvicorn's httptools protocol with the limits that it lacks.

Invariants
- Head, body and silence have deadlines, head and body have sizes, an answer that is not taken has a deadline: no client
  holds a connection or memory without bound. Nobody is cut off later than the limit says, if the event loop turns.
- What the door refuses is answered in OpenAI's envelope, in its turn behind the requests that were whole before it.
- A client that is gone cancels the work of its request (`Disconnect`), and nobody else's.
- A request costs no timer: deadlines are numbers, and the server looks at them all every `SWEEP_INTERVAL` seconds (`Door.sweep`).
- llhttp takes, and we do not: transfer codings besides chunked, CONNECT, more than `MAX_PIPELINED` requests ahead. An upgrade
  that is asked for is ignored and the body read (RFC 9110, section 7.8); trailers are dropped (RFC 9112, section 7.1.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, Final, Literal

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.api.envelope import closing_response
from gateway.errors import ClientError, HeadersTooLarge, InvalidRequest, RequestTimeout, TooLarge
from gateway.exchange.ids import new_id

DISCONNECT: Final = "gatehouse.disconnect"
"""Where in `scope["extensions"]` a request's `Disconnect` is."""

SWEEP_INTERVAL: Final = 0.2
"""Seconds between two sweeps."""

MAX_PIPELINED: Final = 16
"""Requests that a connection may send ahead of the one that is being answered; what follows is not read."""

LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 16_777_216
"""How long, and for how much, a refused client that still sends is listened to, so that it gets its answer and not a reset."""

_Reading = Literal["nothing", "head", "upgrade", "body", "waste"]
_HEAD_TOO_LARGE = "The request's headers are larger than this gateway takes."
_BODY_TOO_LARGE = "The request's body is larger than this gateway takes."
_WATCHED = frozenset({b"content-length", b"transfer-encoding", b"expect"})


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What a client may send, in bytes, and how long it may take, in seconds.

    `header_timeout` runs from the connection or from the first byte of a later request, `body_timeout` from the end of the
    head, `idle_timeout` between requests, and while a client does not take its answer.
    """

    max_header_bytes: int
    max_body_bytes: int
    header_timeout: float
    body_timeout: float
    idle_timeout: float


class Disconnect:
    """Ties the work on a request to its client: a handler sets `task`, which is cancelled once the client is `gone`.

    `gone` is also true of a client that the door gave up; then nothing that is sent arrives any more. `cycle` is uvicorn's
    side of the request; None once that is over, since the two hold each other and would wait for the garbage collector.
    """

    gone: bool = False
    task: asyncio.Task[Any] | None = None
    cycle: RequestResponseCycle | None = None

    def write(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send a whole answer in one write where ASGI takes two; False, and nothing is sent, where that is not possible now.

        `headers` are our own: lower-case names, values without line breaks, `content-length` among them.
        """
        cycle = self.cycle
        if cycle is None or cycle.disconnected or cycle.response_started or cycle.flow.write_paused:
            return False
        if cycle.scope["method"] == "HEAD":
            return False
        cycle.response_started = cycle.response_complete = True
        parts = [STATUS_LINE[status]]
        for name, value in cycle.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n", body) if cycle.keep_alive else (b"connection: close\r\n\r\n", body)
        cycle.transport.write(b"".join(parts))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True


class _Stop(Exception):  # no error: it only gets us out of the parser
    """The parser is to read no further."""


class Door(HttpToolsProtocol):
    """One connection; uvicorn's `http=` class as `functools.partial(Door, limits=…)`.

    `on_refused` hears of each refusal: its code, and the `x-request-id` that was given, empty where the client was told nothing.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: DoorLimits,
        on_refused: Callable[[str, str], None] | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._max_head = limits.max_header_bytes
        self._on_refused = on_refused
        self._reading: _Reading = "head"
        self._deadline = inf
        self._write_deadline = inf
        self._running: RequestResponseCycle | None = None
        self._refusal: ClientError | None = None
        self._disconnect = Disconnect()
        # Bytes on the wire: of the head, or since the last piece of a body; and of the piece that is at the parser.
        self._wire = 0
        self._piece = 0
        # Whether the head began in the piece in which another message ended.
        self._behind = False
        # Bytes of the body that came.
        self._size = 0

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: the first head is due."""
        super().connection_made(transport)
        self._deadline = monotonic() + self._limits.header_timeout

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the work for a client that is gone."""
        super().connection_lost(exc)
        self._deadline = self._write_deadline = inf
        self._abandon()

    def eof_received(self) -> None:
        """Take the end of what a client sends for the end of its interest, as uvicorn does, but at once."""
        self._abandon()

    def pause_writing(self) -> None:
        """Start the clock for a client that does not take its answer."""
        super().pause_writing()
        self._write_deadline = monotonic() + self._limits.idle_timeout

    def resume_writing(self) -> None:
        """Stop that clock."""
        super().resume_writing()
        self._write_deadline = inf

    def sweep(self, horizon: float) -> None:
        """Cut off a client whose deadline falls before `horizon`, the (monotonic) time of the next sweep."""
        if self._deadline < horizon:
            self._expire()
        elif self._write_deadline < horizon:
            self.transport.abort()
        elif self._deadline == inf and self.transport.is_closing():
            # Closed by whoever answered; the rest of the answer is still to be taken.
            self._deadline = monotonic() + self._limits.idle_timeout

    def _expire(self) -> None:
        if self.transport.is_closing() or self._reading == "waste":
            self.transport.abort()
        elif self._reading == "nothing":
            self.transport.close()
        elif self.flow.read_paused:
            # It is us who do not read, until the requests before this one have their answers.
            self._deadline = inf
        else:
            self._refuse(RequestTimeout("The request did not arrive in time."))

    def _abandon(self) -> None:
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._cut(self._running)

    def _cut(self, cycle: RequestResponseCycle) -> None:
        cycle.disconnected = True
        cycle.message_event.set()
        disconnect = _disconnect_of(cycle)
        disconnect.cycle = None
        disconnect.gone = True
        if disconnect.task is not None:
            disconnect.task.cancel()

    # What arrives

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that does not end within its limit is refused as soon as that shows."""
        if self._reading == "nothing":
            self._reading = "head"
            self._deadline = monotonic() + self._limits.header_timeout
            self._wire = 0
            self._behind = False
        room = self._max_head - self._wire
        if self._reading != "head" or len(data) <= room:
            self._feed(data)
        else:
            self._feed_in_two(memoryview(data), room)

    def _feed_in_two(self, view: memoryview, room: int) -> None:
        self._feed(view[:room])
        if self._reading == "head" and self._wire == self._max_head:
            self._refuse(HeadersTooLarge(_HEAD_TOO_LARGE))
        self._feed(view[room:])

    def _feed(self, piece: bytes | memoryview) -> None:
        if self._reading == "waste":
            self._discard(len(piece))
            return
        self._piece = len(piece)
        try:
            self.parser.feed_data(piece)
        except HttpParserUpgrade as upgrade:
            self._ignore_upgrade(memoryview(piece)[upgrade.args[0] :])
            return
        except HttpParserError:
            self._refuse(self._refusal or InvalidRequest("This is not a valid HTTP/1.1 request.", code="invalid_http"))
            return
        if self._reading != "nothing":
            self._wire += self._piece
            # Extensions of chunks and trailers are held to the size of a head.
            if self._wire > self._max_head and self._reading == "body":
                self._refuse(HeadersTooLarge(_HEAD_TOO_LARGE))

    def _discard(self, size: int) -> None:
        self._wire += size
        if self._wire > LINGER_BYTES:
            self.transport.abort()

    def _ignore_upgrade(self, rest: memoryview) -> None:
        """Read the head again without its upgrade: llhttp would take the body for another protocol."""
        method = self.parser.get_method()
        version = self.parser.get_http_version().encode("ascii")
        if method == b"CONNECT":
            self._refuse(InvalidRequest("This gateway is no proxy.", code="invalid_http"))
            return
        fields = b"".join(b"%s: %s\r\n" % field for field in self.headers if field[0] != b"upgrade")
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._feed(b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, fields))
        self._feed(rest)

    # What the parser finds

    def on_message_begin(self) -> None:
        """Start a message, which may come right behind another."""
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(InvalidRequest("Too many requests were sent ahead of their answers.", code="invalid_http"))
        super().on_message_begin()
        self._disconnect = Disconnect()
        self.scope["extensions"] = {DISCONNECT: self._disconnect}  # type: ignore[dict-item]
        self._size = 0
        if self._reading != "head":
            self._reading = "head"
            self._deadline = monotonic() + self._limits.header_timeout
            # How much of this piece is ours cannot be known: none is counted, and the head is measured when it is whole.
            self._wire = -self._piece
            self._behind = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        name = name.lower()
        if name in _WATCHED:
            self._watch(name, value)
        self.headers.append((name, value))

    def _watch(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            if int(value) > self._limits.max_body_bytes:
                self._stop(TooLarge(_BODY_TOO_LARGE))
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif value.strip().lower() != b"chunked":
            self._stop(InvalidRequest("The only transfer coding is 'chunked'.", code="invalid_http"))

    def on_headers_complete(self) -> None:
        """Start the work on a request whose head is whole."""
        if self._behind and self._head_size() > self._max_head:
            self._stop(HeadersTooLarge(_HEAD_TOO_LARGE))
        if self.parser.should_upgrade():
            self._reading = "upgrade"
            return
        super().on_headers_complete()
        self._disconnect.cycle = self.cycle
        if not self.pipeline:
            self._running = self.cycle
        # The app keeps the list; what comes now are trailers.
        self.headers = []
        self._reading = "body"
        self._wire = -self._piece
        self._deadline = monotonic() + self._limits.body_timeout

    def _head_size(self) -> int:
        line = len(self.parser.get_method()) + len(self.url) + len(b"  HTTP/1.1\r\n\r\n")
        return line + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body; the app is woken once, when it is whole."""
        self._wire = -self._piece
        self._size += len(body)
        if self._size > self._limits.max_body_bytes:
            self._stop(TooLarge(_BODY_TOO_LARGE))
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if cycle is not self._running and len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """Hand over a whole request."""
        if self._reading == "upgrade":
            return
        self._reading = "nothing"
        cycle = self.cycle
        if cycle.response_complete:
            self._deadline = monotonic() + self._limits.idle_timeout
            return
        self._deadline = inf
        cycle.more_body = False
        cycle.message_event.set()

    # What goes out

    def on_response_complete(self) -> None:
        """Go on: with the next request that is waiting, with a refusal that had to wait, or with silence."""
        self.server_state.total_requests += 1
        _disconnect_of(self._running or self.cycle).cycle = None
        if self.transport.is_closing():
            return
        now = monotonic()
        self.flow.resume_reading()
        if self.pipeline:
            self._running, app = self.pipeline.pop()
            self._start_asgi_task(self._running, app)
        elif self._refusal is not None:
            self._answer(self._refusal)
        elif self._reading == "nothing":
            self._deadline = now + self._limits.idle_timeout
            return
        if self._deadline == inf and self._reading in ("head", "body"):
            self._deadline = now + (self._limits.header_timeout if self._reading == "head" else self._limits.body_timeout)

    def _stop(self, error: ClientError) -> None:
        """Refuse from within the parser, which an exception stops."""
        self._refusal = error
        raise _Stop

    def _refuse(self, error: ClientError) -> None:
        """Read nothing more, and answer with `error` once the requests before this one have their answers."""
        in_body = self._reading == "body"
        self._reading = "waste"
        self._refusal = error
        self._deadline = inf
        self._wire = 0
        running = self._running
        if running is None or running.response_complete:
            # Who was answered before the body's end is not answered twice.
            self._answer(error, silent=in_body)
        elif in_body and self.cycle is running:
            self._cut(running)
            self._answer(error, silent=running.response_started)
        elif in_body:
            self.pipeline.popleft()

    def _answer(self, error: ClientError, *, silent: bool = False) -> None:
        """Write a refusal and close: softly, so that a client that is still sending gets it."""
        self._deadline = monotonic() + LINGER_SECONDS
        request_id = "" if silent else new_id()
        if request_id:
            self.transport.write(closing_response(error, request_id, default_headers=self.server_state.default_headers))
        if self._on_refused is not None:
            self._on_refused(error.code, request_id)
        if isinstance(error, RequestTimeout):
            self.transport.close()
        else:
            self.transport.write_eof()


def _disconnect_of(cycle: RequestResponseCycle) -> Disconnect:
    disconnect: Disconnect = cycle.scope["extensions"][DISCONNECT]  # type: ignore[assignment]
    return disconnect
