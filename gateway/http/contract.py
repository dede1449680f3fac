"""The seam between upstreams and the network: one method, `send`.

Implementations: `gateway.http.client` (aiohttp) and `gateway.upstream.fake` (answers by itself). A test passes the second
where production passes the first; nothing is patched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import msgspec


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Deadlines in seconds, sizes in bytes. `first_byte` runs from the send to the head of the answer, `idle` between reads."""

    connect: float = 2.0
    first_byte: float = 60.0
    idle: float = 30.0
    max_answer_bytes: int = 16_777_216


class HttpRequest(msgspec.Struct, frozen=True, gc=False):
    """One request; `path` is appended to the client's base URL; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class HttpResponse(Protocol):
    """An answer whose head has arrived; the body is read at most once, by one of the two methods."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names compare without case."""

    def reads(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, everything of one socket read at a time.

        Raises `HttpTimeout` after `idle` seconds of silence or at the deadline, `HttpBroken` when the body is cut or longer
        than `max_answer_bytes`.
        """

    async def read(self) -> bytes:
        """Return the whole body; raises as `reads` does."""


class HttpClient(Protocol):
    """Sends requests to one base URL."""

    def send(self, request: HttpRequest, *, deadline: float) -> AbstractAsyncContextManager[HttpResponse]:
        """Send a request; entering waits for the head of the answer, leaving early closes the connection.

        `deadline` is the exchange's, in the event loop's time. Raises `HttpUnreachable` when no connection was made (nothing
        was sent), `HttpTimeout` and `HttpBroken` afterwards.
        """

    async def close(self) -> None:
        """Close every connection."""


class HttpError(Exception):
    """The network failed; an upstream turns it into one of `gateway.errors`."""


class HttpUnreachable(HttpError):
    """No connection: refused, unknown host, TLS failure, connect deadline. Nothing was sent."""


class HttpTimeout(HttpError):
    """The first byte, a read or the whole answer came too late."""


class HttpBroken(HttpError):
    """The answer is not HTTP, was cut, or is longer than allowed."""
