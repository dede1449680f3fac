"""A request at the HTTP edge, before anything of the domain has seen it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import InvalidRequest, TooLarge

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_READ = frozenset({b"host", b"authorization", b"x-api-key", b"idempotency-key", b"x-contract", b"x-forwarded-for", b"forwarded"})
_BEARER = b"bearer "


@dataclass(slots=True)
class Incoming:
    """One request: its id, the few headers that we read, and the way to its body. Nothing else of a client is looked at."""

    id: str
    headers: dict[bytes, bytes]
    receive: Receive
    max_body_bytes: int

    @property
    def credential(self) -> str | None:
        """The API key that the client sent, as `Authorization: Bearer` or `x-api-key`; None where it sent none."""
        authorization = self.headers.get(b"authorization")
        if authorization is not None and authorization[:7].lower() == _BEARER:
            return authorization[7:].strip().decode("latin-1")
        key = self.headers.get(b"x-api-key")
        return key.decode("latin-1") if key is not None else None

    @property
    def idempotency_key(self) -> str | None:
        """The `Idempotency-Key` header, as it was sent."""
        key = self.headers.get(b"idempotency-key")
        return key.decode("latin-1") if key is not None else None

    @property
    def contract(self) -> str | None:
        """The `x-contract` header: the number of the prompt's contract that the client was made for."""
        number = self.headers.get(b"x-contract")
        return number.decode("latin-1") if number is not None else None

    async def body(self) -> bytes:
        """Return the whole body; raises `TooLarge`, and `CancelledError` when the client is gone."""
        message = await self.receive()
        body = self._part(message, 0)
        if not message.get("more_body", False):
            return body
        parts = [body]
        size = len(body)
        while message.get("more_body", False):
            message = await self.receive()
            parts.append(self._part(message, size))
            size += len(parts[-1])
        return b"".join(parts)

    def _part(self, message: Message, before: int) -> bytes:
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError
        part: bytes = message.get("body", b"")
        if before + len(part) > self.max_body_bytes:
            raise TooLarge("The request's body is larger than this gateway takes.")
        return part


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers that we read, by lower-case name; raises `InvalidRequest` when one of them comes twice."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _READ:
            if name in found and name != b"x-forwarded-for":
                raise InvalidRequest("A header came twice that may come only once.", param=name.decode("latin-1"))
            found[name] = value
    return found


def host_of(headers: dict[bytes, bytes]) -> str:
    """Return the name in the Host header, without port and brackets, in lower case; empty where there is none."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
