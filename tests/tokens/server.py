"""A vLLM server of which only `/tokenize` is needed, as an HTTP client sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from gateway.http.contract import HttpError, HttpRequest

READ = 65_536
"""Bytes that come out of a socket at a time."""


class Answer:
    """An answer whose head has arrived."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {}
        self.times_read = 0
        self._body = body

    async def reads(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), READ):
            self.times_read += 1
            yield self._body[start : start + READ]

    async def read(self) -> bytes:
        return b"".join([data async for data in self.reads()])


class Server:
    """Answers as it was told, and notes what it was asked; it is an `HttpClient`."""

    def __init__(self, *answers: tuple[int, bytes] | HttpError) -> None:
        self._answers = list(answers)
        self.asked: list[HttpRequest] = []
        self.deadlines: list[float] = []
        self.given: list[Answer] = []
        self.closed = False

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(request.body) for request in self.asked]

    @asynccontextmanager
    async def send(self, request: HttpRequest, *, deadline: float) -> AsyncIterator[Answer]:
        self.asked.append(request)
        self.deadlines.append(deadline - asyncio.get_running_loop().time())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        await asyncio.sleep(0)
        if isinstance(answer, HttpError):
            raise answer
        self.given.append(Answer(*answer))
        yield self.given[-1]

    async def close(self) -> None:
        self.closed = True


def counted(count: int) -> tuple[int, bytes]:
    """Return vLLM's answer with a count."""
    return 200, msgspec.json.encode({"count": count, "max_model_len": 2048, "tokens": [1] * count, "token_strs": None})
