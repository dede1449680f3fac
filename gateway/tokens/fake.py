"""The rule of the built-in fake upstream (`gateway.upstream.fake.text`): a token for every four bytes, and four a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.tokens.contract import Count
from gateway.wire.message import Message, TextOnlyPart, TextPart
from gateway.wire.tool import FunctionTool, Tool

BYTES_PER_TOKEN = 4
MESSAGE_TOKENS = 4

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class FakeCounter:
    """Counts as the fake upstream does, so that a demonstration's figures agree; it reads no more of a tool than the fake."""

    name = "fake"
    exact = True

    async def texts(self, texts: Sequence[str]) -> list[Count]:
        """Return a token for every four bytes of each text."""
        return [Count(_quarter(text), exact=True) for text in texts]

    async def messages(self, messages: Sequence[Message], *, tools: Sequence[Tool] = ()) -> Count:
        """Return what the fake will report of a prompt."""
        tokens = sum(MESSAGE_TOKENS + _quarter(_text_of(message)) for message in messages)
        if tools:
            tokens -= -len(_encode([_seen(tool) for tool in tools])) // BYTES_PER_TOKEN
        return Count(tokens, exact=True)


def _quarter(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def _text_of(message: Message) -> str:
    content = message.content
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(part.text for part in content if isinstance(part, TextPart | TextOnlyPart))


def _seen(tool: Tool) -> Mapping[str, Any]:
    if not isinstance(tool, FunctionTool):
        return {}
    function = tool.function
    parameters = _decode(function.parameters) if isinstance(function.parameters, msgspec.Raw) else None
    return {"function": {"name": function.name, "parameters": parameters}}
