"""POST /v1/chat/completions: from OpenAI's body to an exchange, and its answer back into bytes."""

from __future__ import annotations

from contextlib import aclosing

import msgspec

from gateway.api.answering import Answering, Headers
from gateway.api.incoming import Incoming
from gateway.exchange.exchange import Exchange
from gateway.pipeline import Arrival, Pipeline
from gateway.telemetry.timing import server_timing
from gateway.wire.chat import ChatRequest, read_chat_request
from gateway.wire.sse import DONE, events

_encode = msgspec.json.Encoder().encode


class ChatCompletions:
    """OpenAI's chat completions, streamed and not."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def __call__(self, incoming: Incoming, answering: Answering) -> None:
        """Answer one request; raises errors of `gateway.errors` for the one error handler."""
        exchange = Exchange("chat", id=incoming.id)

        async def read() -> ChatRequest:
            body = exchange.evidence.received = await incoming.body()
            return read_chat_request(body)

        arrival = Arrival(
            exchange,
            incoming.credential,
            read,
            encode=lambda bodies: events(bodies) if exchange.stream else _encode(bodies[0]),
            done=DONE,
            idempotency_key=incoming.idempotency_key,
            contract=incoming.contract,
        )
        async with aclosing(self._pipeline.run(arrival)) as pieces:
            async for piece in pieces:
                if not exchange.stream:
                    await answering.json(piece, headers=answer_headers(exchange))
                elif piece is DONE:
                    await answering.done()
                else:
                    if not answering.started:
                        await answering.open(answer_headers(exchange))
                    await answering.events(piece)


def answer_headers(exchange: Exchange) -> Headers:
    """Return the headers that tell a client how its exchange went so far (INTERFACE.md, response headers)."""
    headers: Headers = [
        (b"x-gatehouse-route", exchange.route.encode()),
        (b"x-gatehouse-upstream", exchange.upstream.encode()),
        (b"server-timing", server_timing(exchange).encode()),
    ]
    if exchange.prompt is not None:
        headers.append((b"x-gatehouse-prompt", exchange.prompt.reference.encode()))
    if exchange.shortened:
        headers.append((b"x-gatehouse-max-tokens", b"%d" % exchange.max_tokens))
    if exchange.replayed:
        headers.append((b"x-gatehouse-replayed", b"1"))
    return headers
