"""What of messages and tools costs tokens: their texts, and what a chat template writes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.wire.message import (
    AssistantContent,
    AssistantMessage,
    AudioPart,
    CustomToolCall,
    DeveloperMessage,
    FilePart,
    FunctionMessage,
    FunctionToolCall,
    ImagePart,
    Message,
    RefusalPart,
    TextContent,
    ToolMessage,
    UserContent,
)
from gateway.wire.tool import Tool

MEDIA_TOKENS = 16_384
"""An image, or an earlier spoken answer: what they cost is known to the server alone; this is the most that common ones take."""

EXPONENT_CHARS = 20
"""How much longer a number becomes when it is written without its exponent: `1e15`, `1000000000000000.0`."""

_EXPONENTS = tuple(f"{digit}{mark}" for digit in "0123456789" for mark in "eE")
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Pieces:
    """The parts of a prompt by how they are counted.

    `texts` stand in the prompt as they are; `json` a template may write anew: arguments of calls, and tools, twice, since some
    write them on many lines. `names` stand among `texts`, too; `calls` are tools' calls and their answers; `media` are tokens
    of what is no text. `plain` tells that there is nothing but system, user and assistant messages of one text each.
    """

    messages: int = 0
    texts: list[str] = field(default_factory=list)
    json: list[str] = field(default_factory=list)
    names: int = 0
    calls: int = 0
    tools: int = 0
    media: int = 0
    plain: bool = True


def pieces_of(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> Pieces:
    """Return the pieces of a prompt."""
    pieces = Pieces(messages=len(messages))
    for message in messages:
        _add_content(pieces, message.content)
        if isinstance(message.name, str):
            pieces.names += 1
            pieces.texts.append(message.name)
        match message:
            case AssistantMessage():
                _add_answer(pieces, message)
            case ToolMessage():
                pieces.calls += 1
                pieces.texts.append(message.tool_call_id)
                pieces.plain = False
            case FunctionMessage() | DeveloperMessage():
                pieces.plain = False
            case _:
                pass
    for tool in tools:
        pieces.tools += 1
        pieces.json += [_encode(tool).decode()] * 2
        pieces.plain = False
    return pieces


def _add_content(pieces: Pieces, content: TextContent | UserContent | AssistantContent | msgspec.UnsetType | None) -> None:
    if isinstance(content, str):
        pieces.texts.append(content)
        return
    if not isinstance(content, list):
        return
    pieces.plain = False
    for part in content:
        match part:
            case ImagePart():
                pieces.media += MEDIA_TOKENS
            case AudioPart():
                pieces.media += len(part.input_audio.data)
            case FilePart():
                data = part.file.file_data
                pieces.media += len(data) if isinstance(data, str) else MEDIA_TOKENS
            case RefusalPart():
                pieces.texts.append(part.refusal)
            case _:
                pieces.texts.append(part.text)


def _add_answer(pieces: Pieces, message: AssistantMessage) -> None:
    for text in (message.refusal, message.reasoning, message.reasoning_content):
        if isinstance(text, str) and text:
            pieces.texts.append(text)
            pieces.plain = False
    if not isinstance(message.audio, msgspec.UnsetType | None):
        pieces.media += MEDIA_TOKENS
        pieces.plain = False
    if isinstance(message.tool_calls, list):
        for call in message.tool_calls:
            _add_call(pieces, call)
    if not isinstance(message.function_call, msgspec.UnsetType | None):
        pieces.texts.append(message.function_call.name)
        pieces.json.append(message.function_call.arguments)
        pieces.calls += 1
        pieces.plain = False


def _add_call(pieces: Pieces, call: FunctionToolCall | CustomToolCall) -> None:
    pieces.calls += 1
    pieces.plain = False
    pieces.texts.append(call.id)
    if isinstance(call, FunctionToolCall):
        pieces.texts.append(call.function.name)
        pieces.json.append(call.function.arguments)
    else:
        pieces.texts += [call.custom.name, call.custom.input]


def growth(json: str) -> int:
    """Return how many bytes longer JSON may become when a template writes it anew: with spaces, and numbers in full."""
    return json.count(",") + json.count(":") + EXPONENT_CHARS * sum(map(json.count, _EXPONENTS))
