"""Asks the fake, in process and over TCP, and says what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.http.contract import HttpClient, HttpError, HttpLimits, HttpRequest
from gateway.upstream.fake.behaviour import Behaviour, Character
from gateway.upstream.fake.client import FakeClient
from gateway.upstream.fake.ledger import Served

PATIENT = HttpLimits(connect=20, first_byte=20, idle=20, max_answer_bytes=1_000_000)
HASTY = HttpLimits(connect=20, first_byte=0.2, idle=0.2, max_answer_bytes=1_000_000)

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
            "required": ["city"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time"}}


@dataclass(frozen=True)
class Reply:
    """What a client got: an answer, or the name of the error that it met."""

    status: int = 0
    headers: Mapping[str, str] | None = None
    reads: tuple[bytes, ...] = ()
    error: str = ""

    @property
    def body(self) -> bytes:
        return b"".join(self.reads)

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def chunks(self) -> list[Any]:
        """The bodies of a stream's events, without [DONE]."""
        events = [event for event in self.body.split(b"\n\n") if event]
        return [msgspec.json.decode(event.removeprefix(b"data: ")) for event in events if event != b"data: [DONE]"]

    @property
    def text(self) -> str:
        """The content of the first choice, streamed or not."""
        if self.body.startswith(b"{"):
            return str(self.json["choices"][0]["message"]["content"])
        deltas = [chunk["choices"][0]["delta"] for chunk in self.chunks if chunk["choices"] and chunk["choices"][0]["index"] == 0]
        return "".join(delta.get("content") or "" for delta in deltas)

    def text_of_error(self) -> str:
        """Return the message of an error."""
        return str(self.json["error"]["message"])


def body_of(content: Any = "hello there", **fields: Any) -> bytes:
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return msgspec.json.encode({"model": "m", "messages": messages, **fields})


async def send(
    client: HttpClient, body: bytes, *, path: str = "/chat/completions", headers: Mapping[str, str] | None = None
) -> Reply:
    """Send a request, read the answer to its end."""
    request = HttpRequest("POST", path, {"x-request-id": "r-1", **(headers or {})}, body)
    status, head = 0, None
    reads: list[bytes] = []
    try:
        async with client.send(request, deadline=asyncio.get_running_loop().time() + 60) as response:
            status, head = response.status, response.headers
            async for data in response.reads():
                reads.append(data)  # noqa: PERF401  # a comprehension would lose what came before an error
    except HttpError as error:
        return Reply(status, head, tuple(reads), type(error).__name__)
    return Reply(status, head, tuple(reads))


def fake(character: Character | None = None, limits: HttpLimits = PATIENT) -> FakeClient:
    return FakeClient(Behaviour(character, clock=lambda: 1_700_000_000.9), limits=limits)


def ask(content: Any = "hello there", *, client: FakeClient | None = None, **fields: Any) -> Reply:
    """Ask a fresh fake, or the one given."""
    return asyncio.run(send(client or fake(), body_of(content, **fields)))


def asked(content: Any = "hello there", *, limits: HttpLimits = PATIENT, **fields: Any) -> tuple[Reply, Served]:
    """Ask a fresh fake; return also its record."""
    client = fake(limits=limits)
    reply = ask(content, client=client, **fields)
    return reply, client.served[-1]


def run_send(client: HttpClient, body: bytes, *, path: str) -> Reply:
    """Send one body to any path."""
    return asyncio.run(send(client, body, path=path))
