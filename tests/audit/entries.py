"""Entries as the pipeline makes them, with as little as their kind needs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from gateway.audit.entry import (
    Abandoned,
    Access,
    Attempt,
    Begin,
    CallerChange,
    ClockStep,
    Close,
    Config,
    End,
    Entry,
    Gap,
    Genesis,
    LabelMove,
    LeftOut,
    Payload,
    PromptUsed,
    Refusal,
    Refused,
    Tried,
    Usage,
)

AT = 1_795_500_000_000_000
HASH = "5a" * 32


def exchange_id(number: int) -> str:
    return f"0199c0de-0000-7000-8000-{number:012d}"


def exchange_ids() -> Iterator[str]:
    return map(exchange_id, itertools.count(1))


def begin(exchange: str) -> Begin:
    return Begin(
        at=AT,
        mono=7,
        id=exchange,
        boot="0011223344556677",
        node="a1b2c3d4",
        software="gatehouse/0.1.0",
        operation="chat",
        tenant="acme",
        app="billing",
        key="abcdefghij23",
        role="app",
        route="chat-default",
        upstream="vllm-a",
        model="tiny",
        stream=True,
        max_tokens=512,
        parameters={"temperature": "0.7", "top_k": 40},
        received=HASH,
        received_bytes=1700,
        config=HASH,
    )


def prompt_used() -> PromptUsed:
    return PromptUsed(
        id="support/triage",
        version="v7",
        label="production",
        contract=2,
        digest=HASH,
        neutralised=3,
        trimmed=[LeftOut(input="history", items=4, tokens=812), LeftOut(input="documents", items=1, tokens=90)],
        trimmed_total=2,
    )


def label_move(version: str = "v7", *, before: str = "v6", seq: int = 3) -> LabelMove:
    return LabelMove(
        at=AT, mono=7, seq=seq, prompt="support/triage", label="production", version=version, before=before, by="os:alice",
        why="better by 3 %", report="reports/17",
    )  # fmt: skip


def end(exchange: str, begin_index: int) -> End:
    return End(
        at=AT + 5,
        mono=12,
        id=exchange,
        begin=begin_index,
        result="complete",
        status=200,
        attempts=[Tried(upstream="vllm-a", model="tiny", us=900, status=200, sent=HASH, sent_bytes=1650)],
        attempts_total=1,
        finish_reasons=["stop"],
        finish_reasons_total=1,
        usage=Usage(input_tokens=11, output_tokens=22, cached_tokens=3),
        bytes=0,
        answer=HASH,
        answer_bytes=1000,
        delivered=HASH,
        delivered_bytes=1010,
        payload=Payload(digest=HASH, bytes=2048, day="2026-11-24", key=1),
        timings={"caller": 12, "body": 40, "route": 55, "first_byte": 800},
    )


def attempt(exchange: str, begin_index: int) -> Attempt:
    return Attempt(
        at=AT + 3, mono=10, id=exchange, begin=begin_index, number=2, upstream="vllm-b", model="tiny", reason="upstream_error"
    )


def abandoned(exchange: str, begin_index: int) -> Abandoned:
    return Abandoned(at=AT, mono=7, id=exchange, begin=begin_index, dispatch="assumed", reason="restart")


def access(reason: str = "ticket 4711") -> Access:
    return Access(at=AT, mono=7, id=exchange_id(1), tenant="acme", by="os:alice", role="auditor", reason=reason)


def one_of_each() -> list[Entry]:
    return [
        Genesis(
            at=AT, mono=7, origin="gatehouse/a1b2c3d4-0", site="gatehouse", node="a1b2c3d4", slot="0", software="gatehouse/0.1.0"
        ),
        Config(
            at=AT,
            mono=7,
            boot="0011223344556677",
            node="a1b2c3d4",
            software="gatehouse/0.1.0",
            reason="start",
            config=HASH,
            clean=False,
        ),
        begin(exchange_id(1)),
        attempt(exchange_id(1), 2),
        end(exchange_id(1), 2),
        abandoned(exchange_id(2), 3),
        Refused(at=AT, mono=7, since=AT, until=AT + 1, total=3, refusals=[Refusal(code="invalid_api_key", count=3)]),
        CallerChange(at=AT, mono=7, action="created", key="abcdefghij23", tenant="acme", role="app", by="os:alice", expires=AT),
        LabelMove(at=AT, mono=7, seq=1, prompt="support/triage", label="production", version="v6", by="seed"),
        access(),
        Gap(at=AT, mono=7, since=AT, until=AT + 1, exchanges=4, reason="SQLITE_FULL"),
        ClockStep(at=AT, mono=7, step=-3_600_000_000),
        Close(at=AT, mono=7, boot="0011223344556677", open=0),
    ]
