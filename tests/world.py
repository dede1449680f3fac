"""A pipeline over stand-ins that implement its seams, each of which a test can stop or tell what to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import msgspec

from gateway.errors import ClientError, Unauthenticated
from gateway.exchange.caller import Caller, Role
from gateway.exchange.exchange import Exchange
from gateway.pipeline import Arrival, Pipeline
from gateway.replay.memory import MemoryStore
from gateway.replay.replays import KeyedReplays
from gateway.route.table import Routes
from gateway.settings.tree import Route, RouteUpstream
from gateway.upstream.contract import Call
from gateway.wire.answer import Body
from gateway.wire.chat import ChatRequest, read_chat_request

HELLO = b'{"model":"chat","messages":[{"role":"user","content":"Hello"}]}'
STREAM = HELLO[:-1] + b',"stream":true}'


class Gate:
    """Where a test stops an exchange: `reached` tells that it is there, and it waits until it is cancelled or let on."""

    def __init__(self, place: str = "") -> None:
        self.place = place
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def at(self, place: str) -> None:
        if place == self.place:
            self.reached.set()
            await self.open.wait()


class Callers:
    def __init__(self, gate: Gate, role: Role) -> None:
        self._gate = gate
        self._role = role

    def lookup(self, credential: str) -> Caller | None:
        return self._caller() if credential == "cached" else None

    async def identify(self, credential: str | None) -> Caller:
        await self._gate.at("caller")
        if credential != "good":
            raise Unauthenticated
        return self._caller()

    def routes_allowed(self, caller: Caller, route: str) -> bool:
        return caller.tenant == "acme" and route != "closed"

    def _caller(self) -> Caller:
        return Caller(tenant="acme", app=None, key_id="k", role=self._role)


class Upstream:
    """Answers as it is told and notes what it was asked; `closed` counts the answers that were left or ended."""

    name = "up"

    def __init__(self, gate: Gate, answer: list[list[Body]] | ClientError) -> None:
        self._gate = gate
        self._answer = answer
        self.calls: list[Call] = []
        self.closed = 0

    async def send(self, call: Call) -> AsyncGenerator[list[Body], None]:
        self.calls.append(call)
        try:
            await self._gate.at("upstream")
            if isinstance(self._answer, ClientError):
                raise self._answer
            for index, bodies in enumerate(self._answer):
                yield [dict(body) for body in bodies]
                await self._gate.at(f"after batch {index}")
        finally:
            self.closed += 1

    async def close(self) -> None: ...


class Observer:
    def __init__(self) -> None:
        self.begun: list[Exchange] = []
        self.over: list[Exchange] = []
        self.failures: list[str] = []

    def started(self, exchange: Exchange) -> None:
        self.begun.append(exchange)

    def ended(self, exchange: Exchange) -> None:
        self.over.append(exchange)

    def upstream_failed(self, exchange: Exchange, error: ClientError) -> None:
        assert exchange.upstream == "up"
        self.failures.append(error.code)


def chunk(text: str = "", *, finish: str | None = None, index: int = 0) -> Body:
    return {"id": "theirs", "model": "m", "choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]}


USAGE: Body = {"id": "theirs", "model": "m", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
WHOLE: Body = {
    "id": "theirs",
    "model": "m",
    "odd": {"kept": [1]},
    "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2},
}
CHUNKS = [[chunk("Hi"), chunk(" you")], [chunk(finish="stop")], [USAGE]]


def arrival(
    exchange: Exchange, read: Callable[[], Awaitable[ChatRequest]], credential: str | None = "good", key: str | None = None
) -> Arrival:
    return Arrival(exchange, credential, read, encode=msgspec.json.encode, done=b'"done"', idempotency_key=key)


class World:
    """A pipeline over stand-ins that implement its seams."""

    def __init__(self, answer: list[list[Body]] | ClientError, *, place: str = "", role: Role = "app") -> None:
        self.gate = Gate(place)
        self.upstream = Upstream(self.gate, answer)
        self.observer = Observer()
        legs = (RouteUpstream(name="up", model="real-model"),)
        self.pipeline = Pipeline(
            Callers(self.gate, role),  # type: ignore[arg-type]  # the seam is three methods of it
            Routes({name: Route(upstreams=legs, max_output_tokens=100) for name in ("chat", "closed")}),
            upstreams={"up": self.upstream},
            replays=KeyedReplays(MemoryStore(), digest=lambda text: text.encode()),
            salts=lambda tenant: f"salt-{tenant}",
            observer=self.observer,
        )

    async def ask(self, body: bytes = HELLO, credential: str | None = "good", key: str | None = None) -> list[list[Body]]:
        async def read() -> ChatRequest:
            await self.gate.at("body")
            return read_chat_request(body)

        self.exchange = Exchange("chat")
        async with aclosing(self.pipeline.run(arrival(self.exchange, read, credential, key))) as pieces:
            batches = [msgspec.json.decode(piece) async for piece in pieces]
        if self.exchange.stream:
            assert batches.pop() == "done"
        return batches

    def check_ended_once(self) -> None:
        assert len(self.observer.begun) == len(self.observer.over)
        assert all(exchange.result != "running" for exchange in self.observer.over)
        assert self.upstream.closed == len(self.upstream.calls)
