"""Reads `model.options`: Prompty's names become fields of our chat request, and each value is what the wire's own types take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.errors import InvalidRequest
from gateway.prompt.file.document import Path
from gateway.prompt.file.fields import Fields
from gateway.prompt.file.report import Report
from gateway.wire.chat import ChatRequest, read_chat_request

NAMES: Final[Mapping[str, str]] = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "seed": "seed",
    "maxOutputTokens": "max_completion_tokens",
    "stopSequences": "stop",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "allowMultipleToolCalls": "parallel_tool_calls",
}
"""Prompty's options and our fields."""

_MORE = "additionalProperties"
_OF_CALLER = "belongs to the caller: it is not for a prompt to set"
_REFUSED: Mapping[str, str] = {
    "model": "is the route: write it as model.id",
    "messages": "are the body of the file",
    "tools": "stand under the key tools of the file",
    "max_tokens": "is written as maxOutputTokens, beside additionalProperties",
    "functions": "is what tools were before: write tools",
    "function_call": "is what tool_choice was before: write tool_choice",
    "prompt": "names a prompt: one cannot call another",
    "stream": _OF_CALLER,
    "stream_options": _OF_CALLER,
    "user": _OF_CALLER,
    "safety_identifier": _OF_CALLER,
    "metadata": _OF_CALLER,
}
SETTABLE: Final = tuple(sorted(set(ChatRequest.__struct_encode_fields__) - set(_REFUSED)))
"""Fields of a chat request that a prompt may set."""

_RETIRED = {
    "max_tokens": "is no option of Prompty v2: write maxOutputTokens",
    "stop": "is no option of Prompty v2: write stopSequences",
    "parallel_tool_calls": "is no option of Prompty v2: write allowMultipleToolCalls",
}
_encode = msgspec.json.Encoder().encode


def read_options(report: Report, path: Path, value: Any) -> dict[str, Any]:
    """Return fields of a chat request with values as the wire decodes them; what it would refuse is reported and left out."""
    fields = Fields(report, path, value, known=(*NAMES, _MORE), retired=_RETIRED, noun="option")
    places = {ours: fields.at(theirs) for theirs, ours in NAMES.items() if theirs in fields}
    given = {ours: fields.raw(theirs) for theirs, ours in NAMES.items() if theirs in fields}
    more = fields.below(_MORE, known=SETTABLE, retired=_REFUSED, noun="field that a prompt can set")
    for name in SETTABLE:
        if name not in more:
            continue
        if name in given:
            more.wrong(name, "is set beside additionalProperties already")
            continue
        places[name], given[name] = more.at(name), more.raw(name)
    found: dict[str, Any] = {}
    for name, one in given.items():
        request = decoded(report, places[name], {name: one})
        if request is not None:
            found[name] = getattr(request, name)
    return found


def decoded(report: Report, path: Path, fields: Mapping[str, Any]) -> ChatRequest | None:
    """Return a chat request with these fields beside model and message; None where the wire refuses it, which is reported."""
    body = {"model": "m", "messages": [{"role": "user", "content": ""}], **fields}
    try:
        return read_chat_request(_encode(body))
    except InvalidRequest as error:
        report.add(path, f"is refused: {error.message}")
        return None
