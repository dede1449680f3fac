"""A client that keeps what it saw of each answer, also when the connection ends in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

DONE: Final = b"data: [DONE]\n\n"
PATIENCE: Final = 30.0
"""Seconds that an answer may take."""


@dataclass(slots=True)
class Seen:
    """What a client saw of one answer; `whole` says that HTTP's own end of the body came, `left` that the client went first."""

    sent: bytes
    stream: bool
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    whole: bool = False
    left: bool = False

    @property
    def complete(self) -> bool:
        """Whether the client holds the whole answer: a JSON body to its last byte, a stream with its `[DONE]`."""
        return self.status == 200 and (self.body.endswith(DONE) if self.stream else self.whole)

    @property
    def id(self) -> str:
        """The exchange's id, as the answer tells it."""
        return self.headers["x-request-id"]

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.json["error"]["code"])

    @property
    def json(self) -> Any:
        """The body of an answer that is not streamed."""
        return msgspec.json.decode(self.body)


@dataclass(frozen=True, slots=True)
class Leave:
    """When to go before the answer's end: so many seconds after the request was sent, or with so many bytes of the body."""

    seconds: float = 0.0
    size: int | None = None


class Line:
    """One connection, opened again where it was closed; `key` is the caller's."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, body: bytes, *, key: str, stream: bool = False, leave: Leave | None = None) -> Seen:
        """Send a chat request and return what was seen of its answer; raises nothing where the other side goes."""
        seen = Seen(body, stream)
        with suppress(OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(PATIENCE):
                await self._ask(seen, key, leave=leave)
        if leave is not None and not seen.whole:
            seen.left = True
        if not seen.whole or seen.headers.get("connection") == "close":
            self.close()
        return seen

    def close(self) -> None:
        """Drop the connection at once."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _ask(self, seen: Seen, key: str, *, leave: Leave | None) -> None:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        reader, writer = self._reader, self._writer
        bearer = f"authorization: Bearer {key}\r\n" if key else ""
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n{bearer}content-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(seen.sent)}\r\n\r\n".encode() + seen.sent)
        if leave is not None and leave.size is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(leave.seconds):
                    await _read(reader, seen, most=None)
            return
        await _read(reader, seen, most=None if leave is None else leave.size)


async def _read(reader: asyncio.StreamReader, seen: Seen, *, most: int | None) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    seen.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    seen.status = int(head[0].split()[1])
    if seen.headers.get("transfer-encoding") != "chunked":
        left = int(seen.headers.get("content-length", "0"))
        while left and (most is None or len(seen.body) < most):
            left -= await _take(reader, seen, left)
        seen.whole = left == 0
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        left = size
        while left:
            left -= await _take(reader, seen, left)
        await reader.readexactly(2)
        if most is not None and len(seen.body) >= most:
            return
    await reader.readexactly(2)
    seen.whole = True


async def _take(reader: asyncio.StreamReader, seen: Seen, most: int) -> int:
    """Move bytes of the body to where they are seen, as many as have come."""
    data = await reader.read(most)
    if not data:
        raise ConnectionResetError
    seen.body += data
    return len(data)


def chat(model: str, text: str, *, stream: bool = False, **fields: Any) -> bytes:
    """Return the body of a chat request."""
    return msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": text}], "stream": stream, **fields})
