"""What a call of a prompt would send, without sending it: the very messages, with the tokens of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UnsetType

from gateway.exchange.prompt import LeftOut
from gateway.prompt.calling import Window, prepare, route_of, use_of
from gateway.prompt.contract.contract import Drift
from gateway.prompt.prompts import Chosen
from gateway.prompt.template.neutral import Rule
from gateway.tokens.contract import Counter
from gateway.tokens.pieces import pieces_of
from gateway.wire.chat import ChatRequest
from gateway.wire.message import Message


@dataclass(frozen=True, slots=True)
class Previewed:
    """One message as an upstream would get it, and the tokens of its texts alone."""

    message: dict[str, Any]
    tokens: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a call would send.

    `tokens` are those of all messages and tools with what a chat template adds, counted by `counted_by`; they are never less than
    the server's where `exact` is false. `drift` is what a contract that is only watched lets pass.
    """

    version: str
    label: str
    digest: str
    contract: int
    route: str
    messages: list[Previewed]
    tokens: int
    exact: bool
    counted_by: str
    neutralised: int
    trimmed: list[LeftOut]
    drift: list[Drift]


class _Drifts:
    """Keeps what differs from the contract, where a call would have it counted."""

    def __init__(self) -> None:
        self.seen: tuple[Drift, ...] = ()

    def prompt_drift(self, _prompt: str, drift: Sequence[Drift]) -> None:
        """Keep the differences of the one request."""
        self.seen = tuple(drift)

    def control_tokens(self, _route: str, _rule: Rule, _count: int) -> None:
        """Pass over it: the use of the prompt tells of it."""


async def preview(chosen: Chosen, request: ChatRequest, *, window: Window) -> Preview:
    """Return what the request would send; raises what the call of the prompt would raise (`gateway.prompt.calling.prepare`)."""
    drifts = _Drifts()
    route = route_of(chosen, request)
    prepared, used = await prepare(chosen, request, used=use_of(chosen), window=window, observer=drifts)
    messages = prepared.messages
    tools = () if isinstance(prepared.tools, UnsetType | None) else prepared.tools
    total = await window.counter.messages(messages, tools=tools)
    counts = await _counts(messages, window.counter)
    return Preview(
        version=used.reference,
        label=used.label,
        digest=used.digest,
        contract=used.contract,
        route=route,
        messages=[Previewed(msgspec.to_builtins(each), count) for each, count in zip(messages, counts, strict=True)],
        tokens=int(total),
        exact=total.exact,
        counted_by=window.counter.name,
        neutralised=used.neutralised,
        trimmed=[*used.trimmed],
        drift=[*drifts.seen],
    )


async def _counts(messages: Sequence[Message], counter: Counter) -> list[int]:
    """Return the tokens of each message's texts; all are counted at once, since that may be a question to a server."""
    texts = [[*pieces.texts, *pieces.json] for pieces in (pieces_of([message]) for message in messages)]
    counted = iter(await counter.texts([text for each in texts for text in each]))
    return [sum(next(counted) for _ in each) for each in texts]
