"""What the fake does to answer one request: a head and the parts after it, performed in process or over TCP alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from gateway.wire.answer import Body

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Wait:
    """Silence for `seconds`; infinity is a hang, which ends only when the client leaves."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends here, whatever HTTP's framing announced: by TCP reset, by close, or it was never there."""

    how: Literal["reset", "close", "unreachable"]


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes outside HTTP's framing: before the head they are no HTTP, after it they follow the answer's announced end.

    The connection is closed after them.
    """

    data: bytes


Part = bytes | Wait | Cut | Raw


class Headers(Mapping[str, str]):
    """Headers of an answer; names compare without case."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: what happens `before` the head, the head, and the `parts` of the body, made as they are asked for.

    `whole` says that the body is one piece that is handed over together with the head. An answer without `content-length` is
    sent in chunks.
    """

    status: int
    headers: Headers
    parts: Iterable[Part]
    before: tuple[Part, ...] = ()
    whole: bool = False


def whole(body: bytes, content_type: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer whose body is one piece of known length."""
    fields = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
    return Answer(status, Headers(fields), (body,), whole=True)


def json_answer(body: Body, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer whose body is `body` as JSON."""
    return whole(msgspec.json.encode(body), JSON, status=status, headers=headers)


def error_answer(
    status: int, message: str, *, kind: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return vLLM's error envelope, in which `code` is the status."""
    error = {"message": message, "type": kind, "param": param, "code": status}
    return json_answer({"error": error}, status=status, headers=headers)


def stream(events: Iterable[Part]) -> Answer:
    """Return an answer of server-sent events."""
    return Answer(200, Headers({"content-type": EVENTS}), events)


def event(body: Body) -> bytes:
    """Return one server-sent event."""
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


DONE = b"data: [DONE]\n\n"
