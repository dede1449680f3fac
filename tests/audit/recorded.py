"""Stores as a gateway leaves them: exchanges with sealed payloads, written by the product's own log and vault."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET, UnsetType

from gateway.audit.contract import Unwatched
from gateway.audit.entry import Begin, End, PromptUsed, Result, Tried, Usage
from gateway.audit.log import AuditLog
from gateway.audit.opening import Writing, open_audit
from gateway.audit.vault.keyring import open_keyring
from gateway.audit.vault.payloads import Payloads
from gateway.audit.vault.record import UNKEPT, Record, payload_of
from gateway.audit.vault.vault import Kept, Vault
from gateway.exchange.ids import new_id

WRITING = Writing(site="gatehouse", software="gatehouse/0.1.0", config="5a" * 32)
QUESTION = "How tall is it?"
ANSWER = "828 m"


@dataclass(frozen=True, slots=True)
class Said:
    """One exchange to be recorded."""

    tenant: str = "acme"
    app: str | None = None
    route: str = "chat"
    result: Result = "complete"
    payloads: Kept = "full"
    question: str = QUESTION
    prompt: str = ""
    """The version of a prompt, such as "support/triage@v7"."""

    @property
    def parts(self) -> dict[str, bytes]:
        request = f'{{"model":"{self.route}","messages":[{{"role":"user","content":"{self.question}"}}]}}'.encode()
        answer = f'{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"{ANSWER}"}}}}]}}'.encode()
        return {"received": request, "sent/1": request, "answer": answer, "delivered": answer, "meta": b'{"user":"u-1"}'}


def record(store: Path, said: Sequence[Said], *, close: bool = True) -> list[str]:
    """Record exchanges in the log of slot 0, and return their ids. Without `close` it ends like a process that was killed."""
    vault = Vault(open_keyring(store))
    with closing(vault), closing(Payloads(store, "0")) as payloads:
        return asyncio.run(_record(open_log(store, payloads), vault, said, close=close))


def open_log(store: Path, payloads: Payloads) -> AuditLog:
    """Open the log of slot 0 as the gateway does."""
    return open_audit(store, WRITING, payloads=lambda _slot: payloads, watcher=Unwatched())


async def _record(log: AuditLog, vault: Vault, said: Sequence[Said], *, close: bool) -> list[str]:
    try:
        return [await enter(log, vault, each) for each in said]
    finally:
        if close:
            await log.close()
        else:
            await kill(log)


async def enter(log: AuditLog, vault: Vault, said: Said) -> str:
    """Enter one exchange from begin to end."""
    exchange = new_id()
    kept = UNKEPT if said.payloads == "none" else Record(exchange, vault.held(said.tenant) or await vault.fetch(said.tenant))
    parts = said.parts
    digests = {name: hashlib.sha256(data).digest() for name, data in parts.items()}
    pending = log.append(begin(log, said, exchange=exchange, received=kept.commit("received", digests["received"])))
    await pending
    sealed = vault.seal(kept, parts) if isinstance(kept, Record) else None
    at, mono = log.clock.now()
    tried = Tried(upstream="vllm-a", model="tiny", us=900, status=200, sent=kept.commit("sent/1", digests["sent/1"]))
    end = End(
        at=at,
        mono=mono,
        id=exchange,
        begin=pending.index,
        result=said.result,
        status=200,
        attempts=[tried],
        attempts_total=1,
        finish_reasons=["stop"],
        finish_reasons_total=1,
        usage=Usage(input_tokens=11, output_tokens=22),
        bytes=0,
        answer=kept.commit("answer", digests["answer"]),
        delivered=kept.commit("delivered", digests["delivered"]),
        payload="none" if sealed is None else payload_of(sealed),
        timings={"caller": 12},
    )
    await log.append(end, sealed)
    return exchange


def begin(log: AuditLog, said: Said, *, exchange: str = "", received: str | UnsetType = UNSET) -> Begin:
    """Return the begin of an exchange."""
    at, mono = log.clock.now()
    return Begin(
        at=at,
        mono=mono,
        id=exchange or new_id(),
        boot=log.identity.boot,
        node=log.identity.node,
        software=log.identity.software,
        operation="chat",
        tenant=said.tenant,
        app=said.app or UNSET,
        key="abcdefghij23",
        role="app",
        route=said.route,
        upstream="vllm-a",
        model="tiny",
        max_tokens=512,
        parameters={"temperature": "0.7"},
        received=received,
        received_bytes=len(said.parts["received"]),
        prompt=_prompt(said.prompt),
    )


def _prompt(name: str) -> PromptUsed | UnsetType:
    if not name:
        return UNSET
    prompt, _, version = name.partition("@")
    return PromptUsed(id=prompt, version=version, label="production", contract=1, digest="5a" * 32)


async def kill(log: AuditLog) -> None:
    """Let a log end as if its process had died: nothing more is written, the slot is free."""
    log._timers.cancel_all()
    log._writer.give("stop")
    await asyncio.to_thread(log._writer.join, 5.0)
    log._slot.release()
