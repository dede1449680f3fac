"""What the fake served: the upstream's own count, against which budgets and disconnects are checked.

Invariants
- A request is `running` until exactly one of `complete` (everything was handed over), `cut` (a fault ended it) or `aborted`
  (its client went away).
- Tokens are counted as they are made, so that an aborted stream counts what was made until then.
- Totals hold every request; the records and what was received are the latest only.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

Outcome = Literal["running", "complete", "cut", "aborted"]

RECORDS = 10_000
RECEIVED = 64
RECEIVED_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Received:
    """What a client sent; a body above 64 kB is kept as its beginning."""

    id: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Served:
    """One request as the fake saw it; as a context it is `aborted` unless it was finished before the context ends."""

    id: str
    path: str
    ledger: Ledger = field(repr=False)
    model: str = ""
    status: int = 0
    stream: bool = False
    fault: str = ""
    finish: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    outcome: Outcome = "running"

    def began(self, prompt: int, finish: str) -> None:
        """Count the prompt: the answer is being made, and will end with `finish`."""
        self.prompt_tokens = prompt
        self.finish = finish
        self.ledger.totals.prompt_tokens += prompt

    def made(self, tokens: int) -> None:
        """Count tokens that were made just now."""
        self.completion_tokens += tokens
        self.ledger.totals.completion_tokens += tokens

    def end(self, outcome: Outcome) -> None:
        """Say how it ended; only the first word counts."""
        if self.outcome == "running":
            self.outcome = outcome
            self.ledger.ended(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.end("aborted")


@dataclass(slots=True)
class Totals:
    """Sums over every request since the start, or since the ledger was cleared."""

    requests: int = 0
    running: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    finishes: Counter[str] = field(default_factory=Counter)


class Ledger:
    """The list of what was served, oldest first: all counts, and the latest `records` one by one."""

    def __init__(self, *, records: int = RECORDS) -> None:
        self.totals = Totals()
        self.received: deque[Received] = deque(maxlen=RECEIVED)
        self._served: deque[Served] = deque(maxlen=records)
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def served(self) -> tuple[Served, ...]:
        """The latest requests."""
        return tuple(self._served)

    def open(self, request_id: str, path: str, *, headers: Mapping[str, str], body: bytes) -> Served:
        """Enter a request."""
        served = Served(request_id, path, self)
        self._served.append(served)
        self.received.append(Received(request_id, dict(headers), body[:RECEIVED_BYTES]))
        self.totals.requests += 1
        self.totals.running += 1
        self._changed()
        return served

    def ended(self, served: Served) -> None:
        """Count how a request ended."""
        totals = self.totals
        totals.running -= 1
        totals.outcomes[served.outcome] += 1
        totals.statuses[served.status] += 1
        totals.models[served.model] += 1
        if served.finish:
            totals.finishes["abort" if served.outcome == "aborted" else served.finish] += 1
        self._changed()

    async def idle(self, seconds: float) -> bool:
        """Return whether nothing runs, at the latest after so many seconds."""
        return await self._until(lambda: self.totals.running == 0, seconds)

    async def reached(self, requests: int, *, seconds: float) -> bool:
        """Return whether so many requests have arrived, at the latest after so many seconds."""
        return await self._until(lambda: self.totals.requests >= requests, seconds)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    change = asyncio.get_running_loop().create_future()
                    self._waiting.append(change)
                    await change
        return holds()

    def _changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not change.done():
                change.set_result(None)

    def clear(self) -> None:
        """Forget what has ended; what runs stays."""
        running = [served for served in self._served if served.outcome == "running"]
        self._served.clear()
        self._served.extend(running)
        self.received.clear()
        self.totals = Totals(
            requests=len(running),
            running=len(running),
            prompt_tokens=sum(served.prompt_tokens for served in running),
            completion_tokens=sum(served.completion_tokens for served in running),
        )

    def report(self) -> dict[str, Any]:
        """Return totals and records as plain values."""
        names = [name for name in Served.__slots__ if name != "ledger"]
        return {
            "totals": {name: getattr(self.totals, name) for name in Totals.__slots__},
            "requests": [{name: getattr(served, name) for name in names} for served in self._served],
        }
