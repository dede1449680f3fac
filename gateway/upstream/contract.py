"""The seam between the pipeline and the servers that answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from gateway.exchange.evidence import Evidence
from gateway.wire.answer import Body
from gateway.wire.chat import ChatRequest


class Call(msgspec.Struct, frozen=True, gc=False):
    """One dispatch: a validated request for the model `model` of an upstream.

    `cache_salt` partitions the upstream's prefix cache by tenant; `deadline` is in the event loop's time. The upstream notes in
    `evidence` what it sends and what comes back, byte for byte.
    """

    exchange_id: str
    model: str
    request: ChatRequest
    evidence: Evidence
    max_tokens: int
    cache_salt: str
    deadline: float


class Upstream(Protocol):
    """A server that answers chat completions."""

    @property
    def name(self) -> str:
        """The upstream's name in gateway.toml."""

    def send(self, call: Call) -> AsyncGenerator[list[Body], None]:
        """Yield the answer: one list with one body when the request is not streamed, else one list of chunks for each read.

        Bodies keep the upstream's unknown fields. Raises errors of `gateway.errors`; a stream that was cut or reported an
        error raises after what arrived. Closing the generator closes the upstream's connection.
        """

    async def close(self) -> None:
        """Close every connection."""
