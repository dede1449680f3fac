"""The way of an exchange, in one function.

The ten steps, in their order, which is a business rule:

 (1) caller             who calls: API key to tenant, app, role
 (2) route, leg, prompt which servers answer for the public model name; a prompt's version is rendered
 (3) budget             (not yet); the log's begin is queued here
 (4) input guards       (not yet)
 (5) cache              (not yet)
 (6) upstream           a server within the leg answers
 (7) output guards      (not yet)
 (8) settle             (not yet)
 (9) encode             ids and names of ours; the edge makes bytes
(10) end entry          durable, then the last byte is released

Invariants
- It takes an exchange, not an HTTP request: every edge calls the same function.
- Whatever happens, in whichever step, the exchange ends in exactly one result, and its end is observed once.
- An answer counts as complete only if every choice has a finish_reason and the upstream's body ended cleanly.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Protocol

import msgspec
from msgspec import UnsetType

from gateway.audit.exchanges import Entered, ExchangeLog
from gateway.caller.callers import Callers
from gateway.errors import ClientError, Forbidden, Unavailable
from gateway.exchange.caller import Caller, Role
from gateway.exchange.exchange import Exchange
from gateway.prompt.calling import Calling, route_of, use_of
from gateway.replay.contract import Claim, Recording, Replays
from gateway.replay.recorder import Recorder
from gateway.response.answer import Answer
from gateway.route.limits import check_template, output_limit
from gateway.route.table import Route, Routes
from gateway.upstream.contract import Call, Upstream
from gateway.wire.answer import Body
from gateway.wire.chat import ChatRequest, write_chat_request
from gateway.wire.parameters import set_parameters

MODEL_ROLES: frozenset[Role] = frozenset({"app", "prompt-engineer"})
"""Who may ask a model: an auditor's or operator's key spends nothing."""


LEASE_MARGIN = 10.0
"""Seconds that an idempotency key stays claimed beyond the route's timeout when the process that claimed it is gone."""


class Observer(Protocol):
    """Whoever counts and logs exchanges."""

    def started(self, exchange: Exchange) -> None:
        """Note that an exchange has begun."""

    def ended(self, exchange: Exchange) -> None:
        """Note that an exchange has ended, with its result."""

    def upstream_failed(self, exchange: Exchange, error: ClientError) -> None:
        """Note that an attempt at the exchange's upstream failed."""

    def unkept(self, exchange: Exchange, reason: str) -> None:
        """Note that the exchange's answer could not be kept for repeats with its idempotency key."""


class Arrival(msgspec.Struct, frozen=True):
    """A request as an edge received it, and how that edge writes an answer.

    `read` gives the decoded body; it is called only once the caller is known, so that nobody unknown makes us read or parse.
    `encode` makes the bytes of one batch, `done` is what ends a complete stream. `contract` is the number of the contract of the
    prompt that the caller was made for, as it says.
    """

    exchange: Exchange
    credential: str | None
    read: Callable[[], Awaitable[ChatRequest]]
    encode: Callable[[list[Body]], bytes]
    done: bytes
    idempotency_key: str | None = None
    contract: str | None = None


class Ending:
    """Sees to it that an exchange ends in one result, observed once: `async with Ending(…)` around all its steps.

    A refusal before the log's begin is entered here, so that it too is durable before the client is told.
    """

    __slots__ = ("_exchange", "_log", "_observer")

    def __init__(self, exchange: Exchange, observer: Observer, log: ExchangeLog) -> None:
        self._exchange = exchange
        self._observer = observer
        self._log = log

    async def __aenter__(self) -> None:
        self._observer.started(self._exchange)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        exchange = self._exchange
        exchange.settle(error)
        if isinstance(error, ClientError):
            if exchange.evidence.attempts:
                self._observer.upstream_failed(exchange, error)
            if not exchange.begun:
                with contextlib.suppress(Unavailable):  # the refusal stands whether or not the log can take it
                    await self._log.refuse(exchange)
        self._observer.ended(exchange)


class Pipeline:
    """Answers exchanges."""

    def __init__(
        self,
        callers: Callers,
        routes: Routes,
        *,
        prompts: Calling,
        upstreams: Mapping[str, Upstream],
        replays: Replays,
        log: ExchangeLog,
        observer: Observer,
    ) -> None:
        self._callers = callers
        self._routes = routes
        self._prompts = prompts
        self._upstreams = upstreams
        self._replays = replays
        self._log = log
        self._observer = observer

    async def run(self, arrival: Arrival) -> AsyncGenerator[bytes, None]:
        """Yield the answer in bytes: the whole of it when it is not streamed, else what each read brought, and at last `done`.

        Raises errors of `gateway.errors`, before the first piece or after any.
        """
        exchange = arrival.exchange
        async with Ending(exchange, self._observer, self._log):
            # (1) caller
            caller = await self._identify(arrival)
            asked = await arrival.read()
            # (2) route, leg and prompt
            route, request = await self._resolve(arrival, caller, asked=asked)
            call = self._call(exchange, request, route=route)
            # (3) begin
            async with await self._begin(exchange, request, route=route) as entered:
                claim = await self._claim(arrival, caller, asked=asked, route=route)
                if isinstance(claim, Recording):
                    *pieces, last = _replay(arrival, claim)
                    for piece in pieces:
                        yield exchange.hand_over(piece)
                else:
                    # (6) upstream
                    await entered.durable()
                    answer = Answer(exchange, request)
                    last = arrival.done
                    async with (
                        Recorder(claim, exchange, watcher=self._observer) as recorder,
                        aclosing(self._upstreams[exchange.upstream].send(call)) as batches,
                    ):
                        async for bodies in batches:
                            ours = answer.ours(bodies)
                            recorder.note(ours)
                            # (9) encode
                            if not exchange.stream:
                                last = arrival.encode(ours)
                            elif ours:
                                yield exchange.hand_over(arrival.encode(ours))
                        answer.end()
                        await recorder.keep(route=route.name, upstream=exchange.upstream, finish=exchange.finish)
                # (10) end entry, then the last byte
                exchange.settle(None)
                exchange.evidence.delivered.add(last)
                await entered.end()
                yield last

    async def _identify(self, arrival: Arrival) -> Caller:
        credential = arrival.credential
        caller = self._callers.lookup(credential) if credential else None
        if caller is None:
            caller = await self._callers.identify(credential)
        arrival.exchange.caller = caller
        arrival.exchange.mark("caller")
        if caller.role not in MODEL_ROLES:
            raise Forbidden("This key's role may not ask models.", code="role_not_allowed")
        return caller

    async def _resolve(self, arrival: Arrival, caller: Caller, *, asked: ChatRequest) -> tuple[Route, ChatRequest]:
        """Return the route, and the request as the route's servers will see it."""
        exchange = arrival.exchange
        exchange.model = asked.model
        exchange.stream = asked.stream is True
        exchange.mark("body")
        chosen = self._prompts.choose(asked, caller)
        if chosen is not None:
            used = exchange.prompt = use_of(chosen)
        route = self._routes.resolve(asked.model if chosen is None else route_of(chosen, asked))
        if not self._callers.routes_allowed(caller, route.name):
            raise Forbidden("This key may not use this model.", param="model")
        exchange.route = route.name
        if not isinstance(asked.chat_template_kwargs, UnsetType):
            check_template(asked.chat_template_kwargs, route.settings)
        if chosen is None:
            return route, self._prompts.neutral(asked, route.name)
        request, exchange.prompt = await self._prompts.prepare(
            chosen, asked, used=used, route=route.name, contract=arrival.contract
        )
        exchange.mark("prompt")
        return route, request

    async def _claim(self, arrival: Arrival, caller: Caller, *, asked: ChatRequest, route: Route) -> Claim | Recording | None:
        """Return the right to answer, or the answer that an earlier request with the same key got; None without a key."""
        key = arrival.idempotency_key
        if key is None:
            return None
        claim = await self._replays.claim(
            caller.tenant, key, fingerprint=write_chat_request(asked), lease=route.settings.timeout + LEASE_MARGIN
        )
        if isinstance(claim, Recording):
            exchange = arrival.exchange
            exchange.replayed = True
            exchange.upstream, exchange.finish = claim.facts["upstream"], claim.facts["finish"]
        return claim

    def _call(self, exchange: Exchange, request: ChatRequest, *, route: Route) -> Call:
        leg = route.pick()
        exchange.upstream, exchange.upstream_model = leg.upstream, leg.model
        exchange.max_tokens, exchange.shortened = output_limit(asked_tokens(request), route.settings)
        exchange.mark("route")
        return Call(
            exchange_id=exchange.id,
            model=leg.model,
            request=request,
            evidence=exchange.evidence,
            max_tokens=exchange.max_tokens,
            cache_salt=self._callers.salt(exchange.caller.tenant) if exchange.caller else "",
            deadline=asyncio.get_running_loop().time() + route.settings.timeout,
        )

    def _begin(self, exchange: Exchange, request: ChatRequest, *, route: Route) -> Awaitable[Entered]:
        return self._log.begin(exchange, set_parameters(request), payloads=route.settings.payloads)


def _replay(arrival: Arrival, recording: Recording) -> list[bytes]:
    pieces = [arrival.encode(batch) for batch in recording.batches]
    return [*pieces, arrival.done] if arrival.exchange.stream else pieces


def asked_tokens(request: ChatRequest) -> int | None:
    """Return the output limit that the caller set: the current field wins over the old one, as at the upstream."""
    if isinstance(request.max_completion_tokens, int):
        return request.max_completion_tokens
    return request.max_tokens if isinstance(request.max_tokens, int) else None
