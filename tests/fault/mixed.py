"""A mixture of requests as a bad day brings them, drawn by a seed: plain, streamed, left, spoilt by the upstream, refused."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.e2e.settings import MODEL
from tests.fault.client import Leave, Line, Seen, chat

CLIENTS: Final = 24
FAULTS: Final = (
    "quota",
    "bad-field",
    "context-length",
    "unauthorized",
    "unknown-model",
    "server-error",
    "busy",
    "overloaded",
    "html",
    "redirect",
    "empty",
    "unreachable",
    "reset-before-head",
    "close-before-head",
    "not-http",
    "reset-mid-answer",
    "close-mid-answer",
    "no-finish",
    "no-finish-done",
    "half-event",
    "error-event",
    "malformed-json",
    "invalid-utf8",
    "wrong-types",
    "wrong-mode",
    "missing-usage",
    "null-id",
    "missing-done",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: who asks what, and when the client goes. `key` names a key."""

    body: bytes
    key: str = "acme"
    stream: bool = False
    leave: Leave | None = None


def drawn(chance: random.Random, count: int) -> Iterator[Asked]:
    """Yield so many requests."""
    makes, weights = zip(*_MIXTURE, strict=True)
    for number in range(count):
        (make,) = chance.choices(makes, weights)
        yield make(chance, f"Request {number}. {'x' * chance.randint(0, 3000)}")


def _plain(_chance: random.Random, text: str) -> Asked:
    return Asked(chat(MODEL, text, user="someone"))


def _streamed(chance: random.Random, text: str) -> Asked:
    return Asked(chat(MODEL, f"#fake chunks={chance.randint(1, 40)}\n{text}", stream=True), stream=True)


def _left(chance: random.Random, text: str) -> Asked:
    """Go at any point: before the head, in mid-answer, just when it ends."""
    stream = chance.random() < 0.7
    leave = Leave(chance.random() * 0.06) if chance.random() < 0.5 else Leave(size=chance.randint(1, 3000))
    line = f"#fake delay={chance.random() * 0.03:.3f} chunks=20 gap=0.001" if chance.random() < 0.7 else "#fake chunks=20"
    return Asked(chat(MODEL, f"{line}\n{text}", stream=stream), stream=stream, leave=leave)


def _spoilt(chance: random.Random, text: str) -> Asked:
    stream = chance.random() < 0.5
    return Asked(chat(MODEL, f"#fake fault={chance.choice(FAULTS)}\n{text}", stream=stream), stream=stream)


def _limited(_chance: random.Random, text: str) -> Asked:
    return Asked(chat(MODEL, f"#fake fault=rate-limit\n{text}"))


def _unknown(chance: random.Random, text: str) -> Asked:
    return Asked(chat(MODEL, text), key=chance.choice(["", "unknown", "malformed"]))


def _forbidden(chance: random.Random, text: str) -> Asked:
    return Asked(chat(MODEL, text), key=chance.choice(["narrow", "auditor"]))


def _invalid(chance: random.Random, text: str) -> Asked:
    bodies = [b"{", b'"text"', chat(MODEL, text, no_such_field=1), chat(MODEL, text, temperature="hot"), chat("no-such", text)]
    return Asked(chance.choice(bodies))


_MIXTURE: Final[tuple[tuple[Callable[[random.Random, str], Asked], int], ...]] = (
    (_plain, 30),
    (_streamed, 28),
    (_left, 14),
    (_spoilt, 14),
    (_limited, 3),
    (_unknown, 4),
    (_forbidden, 3),
    (_invalid, 4),
)


async def ask_all(asked: Iterator[Asked], host: str, port: int, *, keys: dict[str, str]) -> list[tuple[Asked, Seen]]:
    """Let clients send all of these, and return what each saw."""
    seen: list[tuple[Asked, Seen]] = []

    async def client() -> None:
        line = Line(host, port)
        for each in asked:
            seen.append((each, await line.ask(each.body, key=keys[each.key], stream=each.stream, leave=each.leave)))  # noqa: PERF401  # they come one by one
        line.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    return seen
