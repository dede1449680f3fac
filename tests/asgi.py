"""A client of an ASGI application: no sockets, every message seen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.api.door import DISCONNECT, Disconnect
from gateway.api.incoming import Message, Scope


@dataclass
class Reply:
    """What the application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    ended: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def error(self) -> tuple[int, str, str | None]:
        """Status, code and param of an error answer, whose envelope is checked."""
        body = self.json()
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
        assert self.headers["content-type"] == "application/json"
        return self.status, body["error"]["code"], body["error"]["param"]

    def events(self) -> list[Any]:
        """Decode the events of a stream; `"[DONE]"` stays itself."""
        assert self.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert self.body.endswith(b"\n\n")
        data = [event.removeprefix(b"data: ") for event in self.body.split(b"\n\n")[:-1]]
        return ["[DONE]" if event == b"[DONE]" else msgspec.json.decode(event) for event in data]

    def text(self) -> str:
        """All content of a stream's first choice."""
        chunks = [event for event in self.events() if isinstance(event, dict) and event.get("choices")]
        return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


class Client:
    """Sends requests to an application, as from this machine."""

    def __init__(self, app: Any, *, key: str = "", host: str = "localhost:8080", address: str = "127.0.0.1") -> None:
        self.app = app
        self.key = key
        self.host = host
        self.address = address

    async def post(self, path: str, body: Any, **headers: str) -> Reply:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.send("POST", path, raw, **headers)

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.send("GET", path, b"", **headers)

    async def send(self, method: str, path: str, body: bytes | Iterable[bytes], **headers: str) -> Reply:
        reply = Reply()
        await self.app(self.scope(method, path, headers), receiver(body), collector(reply))
        return reply

    def scope(self, method: str, path: str, headers: dict[str, str], *, disconnect: Disconnect | None = None) -> Scope:
        given = {"host": self.host, **({"authorization": f"Bearer {self.key}"} if self.key else {})}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path.partition("?")[0],
            "raw_path": path.encode(),
            "query_string": path.partition("?")[2].encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
            "client": (self.address, 50000),
            "server": ("127.0.0.1", 8080),
            "extensions": {} if disconnect is None else {DISCONNECT: disconnect},
        }


def receiver(body: bytes | Iterable[bytes]) -> Any:
    parts = [body] if isinstance(body, bytes) else list(body)
    messages = [{"type": "http.request", "body": part, "more_body": index < len(parts) - 1} for index, part in enumerate(parts)]

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def collector(reply: Reply) -> Any:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not reply.status
            reply.status = message["status"]
            pairs = [(name.decode(), value.decode("latin-1")) for name, value in message["headers"]]
            reply.headers = dict(pairs)
            assert len(reply.headers) == len(pairs), "a header twice"
        else:
            assert not reply.ended
            reply.parts.append(message.get("body", b""))
            reply.ended = not message.get("more_body", False)

    return send
