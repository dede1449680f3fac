"""Asks a vLLM server: its `/tokenize` counts as its chat completions do, with chat template and tools (vLLM 0.33).

Invariants
- The server is asked with a deadline; where it does not answer, the answer is a bound and says so, and it is left alone for a
  moment, so that not every request waits for a server that is silent.
- A count is remembered by the digest of what was asked, never by its text.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.http.contract import HttpClient, HttpError, HttpRequest, HttpUnreachable
from gateway.tokens.bound import BoundCounter
from gateway.tokens.cache import CountCache, digest
from gateway.tokens.contract import Count
from gateway.wire.message import Message
from gateway.wire.tool import Tool

PATH = "/tokenize"
OK = 200
TIMEOUT = 2.0
"""Seconds that a server may take, and as many more for every megabyte: it tokenizes about 2 MB a second."""
MEGABYTE = 1_048_576
READ_BYTES = 262_144
"""A longer answer is not read to its end: the tokens of a megabyte take 25 ms to decode, and the count stands before them."""
PAUSE = 5.0
"""Seconds for which a server that did not answer is not asked."""


class _Messages(msgspec.Struct, omit_defaults=True):
    model: str
    messages: Sequence[Message]
    tools: Sequence[Tool] = ()


class _Text(msgspec.Struct):
    model: str
    prompt: str
    add_special_tokens: bool = False


class _Answer(msgspec.Struct):
    count: Annotated[int, Meta(ge=0)]


_head = re.compile(rb'\s*\{\s*"count"\s*:\s*([0-9]{1,12})\s*,')
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Answer).decode


class VllmCounter:
    """Counts by asking the servers of `clients`, in that order, for `model`; all of them serve it.

    The clients' base URLs are those of the servers, without `/v1`.
    """

    name = "upstream"
    exact = True

    def __init__(
        self, clients: Sequence[HttpClient], model: str, *, timeout: float = TIMEOUT, cache: CountCache | None = None
    ) -> None:
        self._clients = clients
        self._model = model
        self._timeout = timeout
        self._cache = CountCache() if cache is None else cache
        self._bound = BoundCounter()
        self._paused_until = 0.0

    async def texts(self, texts: Sequence[str]) -> list[Count]:
        """Return the tokens of each text; control tokens in a text count as the server takes them."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._text(text)) for text in texts]
        return [task.result() for task in tasks]

    async def messages(self, messages: Sequence[Message], *, tools: Sequence[Tool] = ()) -> Count:
        """Return the tokens of a prompt."""
        counted = await self._count(_Messages(self._model, messages, tuple(tools)))
        return await self._bound.messages(messages, tools=tools) if counted is None else counted

    async def _text(self, text: str) -> Count:
        if not text:
            return Count(0, exact=True)
        counted = await self._count(_Text(self._model, text))
        return (await self._bound.texts([text]))[0] if counted is None else counted

    async def _count(self, asked: _Messages | _Text) -> Count | None:
        """Return the server's count, None where it has none."""
        try:
            body = _encode(asked)
        except UnicodeEncodeError:  # a lone surrogate, which cannot be sent
            return None
        key = digest(body) if len(body) <= MEGABYTE else b""
        known = self._cache.get(key)
        if known is not None:
            return known
        loop = asyncio.get_running_loop()
        if loop.time() < self._paused_until:
            return None
        deadline = loop.time() + self._timeout * (1 + len(body) / MEGABYTE)
        try:
            counted = await self._ask(body, deadline)
        except HttpError:
            self._paused_until = loop.time() + PAUSE
            return None
        if counted is not None and key:
            self._cache.put(key, counted)
        return counted

    async def _ask(self, body: bytes, deadline: float) -> Count | None:
        """Ask the first server that can be reached; raises `HttpError` where none can, or that one does not answer."""
        request = HttpRequest("POST", PATH, {"content-type": "application/json"}, body)
        *others, last = self._clients
        for client in others:
            try:
                return await _ask_one(client, request, deadline)
            except HttpUnreachable:
                continue
        return await _ask_one(last, request, deadline)


async def _ask_one(client: HttpClient, request: HttpRequest, deadline: float) -> Count | None:
    body = bytearray()
    async with client.send(request, deadline=deadline) as response:
        if response.status != OK:
            return None
        async for data in response.reads():
            body += data
            if len(body) > READ_BYTES:
                break
    return _count_in(bytes(body))


def _count_in(body: bytes) -> Count | None:
    if len(body) > READ_BYTES:
        head = _head.match(body)
        return Count(int(head[1]), exact=True) if head else None
    try:
        return Count(_decode(body).count, exact=True)
    except msgspec.MsgspecError:
        return None
