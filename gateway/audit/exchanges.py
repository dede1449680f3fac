"""Exchanges in the log: what is entered of each, and when.

Invariants
- `begin` is queued once the route is known and is durable before anything is dispatched (`Entered.durable`).
- One exchange is one begin and one end, whatever fails; a client that is told of a failure is told after the end is durable.
- What a client or an upstream sent stands in an entry as a number, a closed word or a commitment only.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from hashlib import sha256
from types import TracebackType
from typing import Final, Literal, Self

from msgspec import UNSET, UnsetType

from gateway.audit.batch import Draft, Pending
from gateway.audit.clock import MICROSECOND, Moment
from gateway.audit.contract import Sealed
from gateway.audit.entry import MOST_ITEMS, SAFE, Begin, End, PromptUsed, Result, Tried, Usage
from gateway.audit.log import AuditLog
from gateway.audit.parameters import finish_reasons, parameters, word
from gateway.audit.prompts import prompt_used
from gateway.audit.vault.record import UNKEPT, Record, Unkept, payload_of
from gateway.audit.vault.recordkey import TenantKey, sent
from gateway.audit.vault.vault import LARGE, LONG, Kept, Vault
from gateway.errors import Unavailable
from gateway.exchange.caller import Caller
from gateway.exchange.evidence import Attempt
from gateway.exchange.exchange import Exchange
from gateway.exchange.prompt import PromptUse
from gateway.exchange.tasks import Tasks
from gateway.exchange.usage import Usage as Used

OnFailure = Literal["refuse", "record-gap"]


class ExchangeLog:
    """Enters exchanges into this process's log.

    `payloads` says what is kept where a route does not. While the log cannot be written an exchange is refused, or with
    `record-gap` goes on and is counted in a gap. `release` closes what the log's thread wrote to.
    """

    def __init__(
        self, log: AuditLog, vault: Vault, *, payloads: Kept, on_failure: OnFailure, release: Callable[[], None]
    ) -> None:
        self.log = log
        self.vault = vault
        self._payloads = payloads
        self._on_failure = on_failure
        self._release = release
        self._late = Tasks()

    async def begin(self, exchange: Exchange, set_by_caller: Mapping[str, float | str], *, payloads: Kept | None) -> Entered:
        """Queue an exchange's begin; `payloads` is the route's own choice, if it has one.

        Raises `Unavailable` (audit_unavailable) where the log cannot take it.
        """
        caller = exchange.caller
        assert caller is not None  # noqa: S101  # an exchange starts when its caller is known
        exchange.begun = True
        kept = payloads or self._payloads
        if kept == "none":
            exchange.evidence.forget()
        try:
            self.log.check()
            key = None if kept == "none" else self.vault.held(caller.tenant) or await self.vault.fetch(caller.tenant)
            received = exchange.evidence.received
            digest = await self.vault.digest(received) if len(received) >= LONG else None
            entered = Entered(self, exchange, caller, key=key, received=digest)
            entered.begin(set_by_caller)
        except Unavailable as error:
            self.missed(error)
            return Entered(self, exchange, caller, key=None, received=None)
        return entered

    async def refuse(self, exchange: Exchange) -> None:
        """Enter a refusal: of a known caller as an exchange of its own, as long as there are not too many equal ones."""
        caller = exchange.caller
        if caller is None:
            self.log.refused(exchange.error)
            return
        if self.log.folds(exchange.error, tenant=caller.tenant, key=caller.key_id):
            return
        entered = await self.begin(exchange, {}, payloads="none")
        await entered.end()

    def refused(self, code: str) -> None:
        """Count a request that the edge refused before it was an exchange."""
        self.log.refused(code)

    async def close(self) -> None:
        """Enter what is still to be entered, and close the log."""
        await self._late.join()
        await self.log.close()
        self.vault.close()
        await asyncio.to_thread(self._release)

    def later(self, ending: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Let an exchange end by itself, whoever goes; `close` waits for it."""
        return self._late.begin(ending)

    def missed(self, error: Unavailable) -> None:
        """Raise the error where exchanges need the log; otherwise count one that goes on without it."""
        if self._on_failure == "refuse":
            raise error
        self.log.missed()

    def moment(self) -> Moment:
        """Return the time, as the log tells it."""
        return self.log.clock.now()


class Entered:
    """An exchange whose begin is in the log, or on its way there.

    `key` is the tenant's key where its payload is kept; `received` the digest of the request where that was made already.
    As a context it enters the end that nobody has entered yet: of an exchange that failed, or whose client went.
    """

    __slots__ = (
        "_at",
        "_caller",
        "_ended",
        "_exchange",
        "_key",
        "_leg",
        "_log",
        "_missed",
        "_pending",
        "_received",
        "_record",
        "_set",
    )

    def __init__(
        self, log: ExchangeLog, exchange: Exchange, caller: Caller, *, key: TenantKey | None, received: bytes | None
    ) -> None:
        self._log = log
        self._exchange = exchange
        self._caller = caller
        self._key = key
        self._record: Record | Unkept | None = None
        self._received = received
        self._pending: Pending | None = None  # where the log goes on without it
        self._ended = False
        self._missed = False

    def begin(self, set_by_caller: Mapping[str, float | str]) -> None:
        """Queue the begin; raises `Unavailable`."""
        exchange = self._exchange
        self._set = set_by_caller
        self._at = self._log.moment()
        self._leg = exchange.upstream, exchange.upstream_model  # a replayed answer names another one
        weight = len(exchange.evidence.received)
        self._pending = self._log.log.plan(Draft(exchange.id, None, weight, lambda: (self._begin(), None), self._bare_begin))

    async def durable(self) -> None:
        """Return once the begin is durable: nothing is dispatched before. Raises `Unavailable` where it cannot be."""
        if self._pending is not None:
            try:
                await self._pending
            except Unavailable as error:
                self._miss(error)

    async def end(self) -> None:
        """Enter the end of an exchange that has its result; returns once it is durable. Raises `Unavailable`.

        Once called, the end is entered, also where who waits for it goes.
        """
        self._ended = True
        if self._pending is not None:
            parts = {} if self._key is None else self._parts()
            weight = sum(map(len, parts.values()))
            try:
                # What is small is queued at once, before anything can be cancelled; a thread seals the rest.
                await (self._plan(parts, weight) if weight < LARGE else asyncio.shield(self._log.later(self._end_large(parts))))
            except Unavailable as error:
                self._miss(error)

    def _plan(self, parts: dict[str, bytes], weight: int, sealed: Sealed | None = None) -> Pending:
        assert self._pending is not None  # noqa: S101  # `end` has looked
        at = self._log.moment()

        def make() -> tuple[End, Sealed | None]:
            record = self.record
            payload = sealed or (self._log.vault.seal(record, parts) if isinstance(record, Record) else None)
            return self._end(at, payload), payload

        return self._log.log.plan(Draft(self._exchange.id, self._pending.index, weight, make, lambda: self._bare_end(at)))

    async def _end_large(self, parts: dict[str, bytes]) -> None:
        record = self.record
        assert isinstance(record, Record)  # noqa: S101  # without one there are no parts
        sealed = await self._log.vault.seal_beside(record, parts)
        await self._plan({}, len(sealed.blob), sealed)

    def _miss(self, error: Unavailable) -> None:
        if not self._missed:
            self._log.missed(error)
            self._missed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._ended:
            return
        self._exchange.settle(error)
        if self._exchange.result == "cancelled":
            self._log.later(self._end_alone())
        else:
            await self.end()

    async def _end_alone(self) -> None:
        with contextlib.suppress(Unavailable):  # nobody is left to be told; the log makes it `abandoned`
            await self.end()

    def _parts(self) -> dict[str, bytes]:
        evidence = self._exchange.evidence
        parts = {"received": evidence.received}
        for number, attempt in enumerate(evidence.attempts, 1):
            parts[sent(number)] = attempt.sent
        if evidence.answer.size:
            parts["answer"] = evidence.answer.data
        if evidence.delivered.size:
            parts["delivered"] = evidence.delivered.data
        return parts

    @property
    def record(self) -> Record | Unkept:
        """The record of the exchange."""
        if self._record is None:
            self._record = UNKEPT if self._key is None else Record(self._exchange.id, self._key)
        return self._record

    def _begin(self) -> Begin:
        exchange, caller, identity = self._exchange, self._caller, self._log.log.identity
        received = exchange.evidence.received
        held, digest = parameters(self._set) if self._set else (None, None)
        upstream, model = self._leg
        return Begin(
            at=self._at.at,
            mono=self._at.mono,
            id=exchange.id,
            boot=identity.boot,
            node=identity.node,
            software=identity.software,
            config=identity.config or UNSET,
            operation=exchange.operation,
            tenant=caller.tenant,
            app=caller.app or UNSET,
            key=caller.key_id,
            role=caller.role,
            route=exchange.route or UNSET,
            upstream=upstream or UNSET,
            model=model or UNSET,
            stream=exchange.stream,
            max_tokens=exchange.max_tokens or UNSET,
            shortened=exchange.shortened,
            parameters=held or UNSET,
            parameters_digest=digest or UNSET,
            received=self.record.commit("received", self._received or _digest(received)),
            received_bytes=len(received),
            prompt=UNSET if exchange.prompt is None else _used(exchange.prompt),
        )

    def _bare_begin(self) -> Begin:
        """Return what stands for a begin that could not be made: who, and nothing of what was asked."""
        caller, identity = self._caller, self._log.log.identity
        return Begin(
            at=self._at.at,
            mono=self._at.mono,
            id=self._exchange.id,
            boot=identity.boot,
            node=identity.node,
            software=identity.software,
            operation=self._exchange.operation,
            tenant=caller.tenant,
            key=caller.key_id,
            role=caller.role,
        )

    def _bare_end(self, at: Moment) -> End:
        """Return what stands for an end that could not be made: the exchange has failed, its last byte is withheld."""
        assert self._pending is not None  # noqa: S101  # `end` has looked
        attempts = self._exchange.evidence.attempts
        return End(
            at=at.at,
            mono=at.mono,
            id=self._exchange.id,
            begin=self._pending.index,
            result="failed",
            error="internal_error",
            attempts=[Tried(upstream=each.upstream, model=each.model, us=0) for each in attempts[:MOST_ITEMS]],
            attempts_total=len(attempts),
            finish_reasons=[],
            finish_reasons_total=0,
            bytes=self._exchange.handed_over,
            timings={},
        )

    def _end(self, moment: Moment, sealed: Sealed | None) -> End:
        assert self._pending is not None  # noqa: S101  # `end` has looked
        exchange, evidence, commit = self._exchange, self._exchange.evidence, self.record.commit
        reasons = finish_reasons(exchange.finish)
        return End(
            at=moment.at,
            mono=moment.mono,
            id=exchange.id,
            begin=self._pending.index,
            result=_RESULTS[exchange.result],
            status=exchange.status or UNSET,
            error=exchange.error or UNSET,
            reason=word(exchange.reason) or UNSET,
            attempts=[self._tried(number, attempt) for number, attempt in enumerate(evidence.attempts[:MOST_ITEMS], 1)],
            attempts_total=len(evidence.attempts),
            finish_reasons=reasons[:MOST_ITEMS],
            finish_reasons_total=len(reasons),
            usage=_usage(exchange.usage),
            bytes=exchange.handed_over,
            client_gone=exchange.result == "cancelled",
            replayed=exchange.replayed,
            answer=commit("answer", evidence.answer.digest) if evidence.answer.size else UNSET,
            answer_bytes=evidence.answer.size or UNSET,
            delivered=commit("delivered", evidence.delivered.digest) if evidence.delivered.size else UNSET,
            delivered_bytes=evidence.delivered.size or UNSET,
            payload="none" if sealed is None else payload_of(sealed),
            timings=_timings(exchange),
        )

    def _tried(self, number: int, attempt: Attempt) -> Tried:
        ended = attempt.ended or time.perf_counter_ns()
        return Tried(
            upstream=attempt.upstream,
            model=attempt.model,
            us=(ended - attempt.started) // MICROSECOND,
            status=attempt.status or UNSET,
            error=attempt.error or UNSET,
            reason=word(attempt.reason) or UNSET,
            sent=self.record.commit(sent(number), _digest(attempt.sent)) if attempt.sent else UNSET,
            sent_bytes=len(attempt.sent) or UNSET,
            response_id=word(attempt.response_id) or UNSET,
        )


def _digest(data: bytes) -> bytes:
    return sha256(data).digest()


_RESULTS: Final[dict[str, Result]] = {"complete": "complete", "refused": "refused", "failed": "failed", "cancelled": "cancelled"}


def _used(use: PromptUse) -> PromptUsed:
    return prompt_used(
        use.id,
        use.version,
        label=use.label,
        contract=use.contract,
        digest=use.digest,
        neutralised=use.neutralised,
        trimmed=use.trimmed,
    )


def _usage(usage: Used | None) -> Usage | UnsetType:
    if usage is None:
        return UNSET
    counts = (usage.input, usage.output, usage.cached, usage.reasoning)
    if any(count > SAFE for count in counts):
        return UNSET  # an upstream's nonsense; the payload holds what it said
    return Usage(
        input_tokens=usage.input,
        output_tokens=usage.output,
        cached_tokens=usage.cached,
        reasoning_tokens=usage.reasoning,
        source=usage.source,
    )


def _timings(exchange: Exchange) -> dict[str, int]:
    timings: dict[str, int] = {}
    before = exchange.started
    for step, at in exchange.marks:
        timings[step] = (at - before) // MICROSECOND
        before = at
    return timings
