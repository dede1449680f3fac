"""What a chat request uses at most, before it is sent.

Images, sound, files and tools are bounded with the messages (`gateway.tokens`). What a vendor adds unseen, such as the pages of a
web search, nobody can bound: it is an overrun, which the ledger enters.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateway.tokens.bound import json_bound, text_bound
from gateway.tokens.contract import Counter
from gateway.wire.chat import ChatRequest
from gateway.wire.option import SchemaAnswer, TextAnswer

BESIDE_FRAME = 64
"""More than is written around a schema, a function or a prediction that stands in the prompt."""


class Estimate(NamedTuple):
    """Tokens of the prompt at most, how many choices answer it, and whether they may be shortened."""

    input: int
    choices: int
    shortens: bool


async def estimate(request: ChatRequest, counter: Counter) -> Estimate:
    """Return what a request uses at most, its prompt as a counter counts or bounds it."""
    counted = await counter.messages(request.messages, tools=request.tools or ())
    return Estimate(counted + beside(request), choices(request), shortens(request))


def choices(request: ChatRequest) -> int:
    """Return how many answers are asked for: each may be as long as the limit."""
    return request.n if isinstance(request.n, int) else 1


def shortens(request: ChatRequest) -> bool:
    """Tell whether an answer that is cut is still of use: structured output and calls of tools are not."""
    answer = request.response_format
    free = not answer or isinstance(answer, TextAnswer)
    return free and not (request.structured_outputs or request.tools or request.functions)


def beside(request: ChatRequest) -> int:
    """Return the most tokens of what stands beside messages and tools and may be written into the prompt."""
    tokens = 0
    answer = request.response_format
    if isinstance(answer, SchemaAnswer):
        tokens += _json(answer.json_schema)
    for function in request.functions or ():
        tokens += _json(function)
    if request.prediction:
        tokens += _json(request.prediction)
    if request.chat_template_kwargs:
        tokens += text_bound(bytes(request.chat_template_kwargs).decode())
    return tokens


def _json(given: msgspec.Struct) -> int:
    return 2 * json_bound(msgspec.json.encode(given).decode()) + BESIDE_FRAME
