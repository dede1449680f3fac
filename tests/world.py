"""A pipeline over stand-ins that implement its seams, each of which a test can stop or tell what to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

import msgspec

from gateway.audit.vault.vault import Kept
from gateway.errors import ClientError, Unauthenticated, Unavailable
from gateway.exchange.caller import Caller, Role
from gateway.exchange.exchange import Exchange
from gateway.pipeline import Arrival, Pipeline
from gateway.prompt.calling import Calling, Window
from gateway.prompt.contract.contract import Drift
from gateway.prompt.prompts import Prompts
from gateway.replay.contract import Store
from gateway.replay.memory import MemoryStore
from gateway.replay.replays import KeyedReplays
from gateway.route.table import Routes
from gateway.settings.tree import Route, RouteUpstream
from gateway.tokens.bound import BoundCounter
from gateway.tokens.contract import Count
from gateway.upstream.contract import Call
from gateway.wire.answer import Body
from gateway.wire.chat import ChatRequest, read_chat_request
from gateway.wire.message import Message
from gateway.wire.tool import Tool

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

    def salt(self, tenant: str) -> str:
        return f"salt-{tenant}"

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
        call.evidence.attempt(self.name, call.model)
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


class Log:
    """Notes what would be entered, in its order beside what else happens; raises at the step that it is told."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.entered: list[str] = []
        self.fails_at = ""

    async def begin(self, exchange: Exchange, set_by_caller: Mapping[str, float | str], *, payloads: Kept | None) -> Entered:  # noqa: ARG002  # the seam's
        assert exchange.caller is not None
        exchange.begun = True
        self.enter("begin")
        return Entered(self, exchange)

    async def refuse(self, exchange: Exchange) -> None:
        self.enter(f"refusal {exchange.error}")

    def enter(self, what: str) -> None:
        if what.startswith(self.fails_at or "nothing"):
            raise Unavailable("The log.", code="audit_unavailable")
        self.entered.append(what)


class Entered:
    def __init__(self, log: Log, exchange: Exchange) -> None:
        self._log = log
        self._exchange = exchange
        self._ended = False

    async def durable(self) -> None:
        await self._log.gate.at("begin")
        self._log.enter("begin is durable")

    async def end(self) -> None:
        self._ended = True
        assert self._exchange.result != "running"
        await self._log.gate.at("end")
        self._log.enter(f"end {self._exchange.result}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._ended:
            self._exchange.settle(error)
            self._log.enter(f"end {self._exchange.result}")


class Observer:
    def __init__(self) -> None:
        self.begun: list[Exchange] = []
        self.over: list[Exchange] = []
        self.failures: list[str] = []
        self.not_kept: list[tuple[str, str]] = []
        self.drift: list[str] = []
        self.controls: list[tuple[str, str, int]] = []

    def started(self, exchange: Exchange) -> None:
        self.begun.append(exchange)

    def ended(self, exchange: Exchange) -> None:
        self.over.append(exchange)

    def upstream_failed(self, exchange: Exchange, error: ClientError) -> None:
        assert exchange.upstream == "up"
        self.failures.append(error.code)

    def unkept(self, exchange: Exchange, reason: str) -> None:
        self.not_kept.append((exchange.id, reason))

    def prompt_drift(self, prompt: str, drift: Sequence[Drift]) -> None:
        self.drift += [f"{prompt} {each.kind}" for each in drift]

    def control_tokens(self, route: str, rule: str, count: int) -> None:
        self.controls.append((route, rule, count))


class Counter(BoundCounter):
    """Bounds, and can be stopped while it does."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def messages(self, messages: Sequence[Message], *, tools: Sequence[Tool] = ()) -> Count:
        await self._gate.at("prompt")
        return await super().messages(messages, tools=tools)


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
    """A pipeline over stand-ins that implement its seams; with `prompts` it has those, and messages have room for `context`."""

    def __init__(
        self,
        answer: list[list[Body]] | ClientError,
        *,
        place: str = "",
        role: Role = "app",
        store: Store | None = None,
        prompts: Prompts | None = None,
        context: int | None = None,
    ) -> None:
        self.gate = Gate(place)
        self.upstream = Upstream(self.gate, answer)
        self.observer = Observer()
        self.log = Log(self.gate)
        legs = (RouteUpstream(name="up", model="real-model"),)
        self.pipeline = Pipeline(
            Callers(self.gate, role),  # type: ignore[arg-type]  # the seam is four methods of it
            Routes({name: Route(upstreams=legs, max_output_tokens=100) for name in ("chat", "closed")}),
            prompts=Calling(
                prompts or Prompts(),
                {name: Window(context, 100, Counter(self.gate), "neutralise") for name in ("chat", "closed")},
                observer=self.observer,
            ),
            upstreams={"up": self.upstream},
            replays=KeyedReplays(store or MemoryStore(), digest=lambda text: text.encode()),
            log=self.log,  # type: ignore[arg-type]  # the seam is two methods of it
            observer=self.observer,
        )

    async def ask(self, body: bytes = HELLO, credential: str | None = "good", key: str | None = None) -> list[list[Body]]:
        batches = [msgspec.json.decode(piece) async for piece in self.pieces(body, credential, key)]
        if self.exchange.stream:
            assert batches.pop() == "done"
        return batches

    async def pieces(self, body: bytes, credential: str | None = "good", key: str | None = None) -> AsyncGenerator[bytes, None]:
        async def read() -> ChatRequest:
            await self.gate.at("body")
            return read_chat_request(body)

        self.exchange = Exchange("chat")
        async with aclosing(self.pipeline.run(arrival(self.exchange, read, credential, key))) as pieces:
            async for piece in pieces:
                yield piece

    def check_ended_once(self) -> None:
        assert len(self.observer.begun) == len(self.observer.over)
        assert all(exchange.result != "running" for exchange in self.observer.over)
        assert self.upstream.closed == len(self.upstream.calls)
        begins = [each for each in self.log.entered if each == "begin"]
        assert len(begins) == len([each for each in self.log.entered if each.startswith("end ")])
