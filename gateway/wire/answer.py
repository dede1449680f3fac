"""OpenAI's answers, read: checked where we rely on them, passed on where we do not.

A body stays the mapping that was decoded, so that unknown fields pass through; the functions here check its shape before
anything else touches it. What they check, later steps may index without asking again: `choices` is a list of objects with an
integer `index`, an object `message` (`delta` in a chunk) whose texts are strings or null, and a `finish_reason` that is a
string (in a chunk perhaps null).
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.exchange.usage import Usage

Body = dict[str, Any]
"""A decoded completion or chunk."""


class WireError(Exception):
    """A body is not what OpenAI's specification says; the message never quotes it."""


_GIVEN_UP = frozenset({"abort", "error"})
"""finish_reasons of vLLM's for an answer that it will not finish, sent on as if it were whole when the server shuts down."""
_TEXTS = frozenset({"content", "reasoning", "reasoning_content", "refusal"})
_decode = msgspec.json.Decoder().decode


def read_completion(raw: bytes) -> Body:
    """Decode a whole chat completion; raises `WireError` unless every choice has an index, a message and a finish_reason."""
    body = _object(raw)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise WireError("a completion without choices")
    for choice in choices:
        if not (isinstance(choice, dict) and type(choice.get("index")) is int and isinstance(choice.get("message"), dict)):
            raise WireError("a choice without index or message")
        if not (isinstance(choice.get("finish_reason"), str) and choice["finish_reason"]):
            raise WireError("a choice without finish_reason")
        if choice["finish_reason"] in _GIVEN_UP:
            raise WireError("an answer that was given up")
        _check_texts(choice["message"])
    return body


def read_chunk(raw: bytes) -> Body:
    """Decode one chunk of a stream; raises `WireError` unless every choice has an index and a delta, or it is an error event.

    An error event is a body with the key `error`; some servers send that key as null with every chunk, and there it is left
    out.
    """
    body = _object(raw)
    if "error" in body:
        if body["error"] is not None:
            return body
        del body["error"]
    choices = body.get("choices")
    if not isinstance(choices, list):
        raise WireError("a chunk without choices")
    for choice in choices:
        if not (isinstance(choice, dict) and type(choice.get("index")) is int and isinstance(choice.get("delta"), dict)):
            raise WireError("a choice without index or delta")
        finish = choice.get("finish_reason")
        if finish is not None and not isinstance(finish, str):
            raise WireError("a finish_reason that is not a string")
        if finish in _GIVEN_UP:
            raise WireError("an answer that was given up")
        _check_texts(choice["delta"])
    return body


def _check_texts(part: Body) -> None:
    for name, value in part.items():
        if value is not None and type(value) is not str and name in _TEXTS:
            raise WireError("a text that is not a string")


def usage_of(body: Body) -> Usage | None:
    """Return the usage that a body reports, or None where it reports none that can be counted with."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = _count(usage, "prompt_tokens")
    completion = _count(usage, "completion_tokens") if "completion_tokens" in usage else 0
    if prompt is None or completion is None:
        return None
    return Usage(
        input=prompt,
        output=completion,
        cached=min(prompt, _detail(usage, "prompt_tokens_details", "cached_tokens")),
        reasoning=min(completion, _detail(usage, "completion_tokens_details", "reasoning_tokens")),
    )


def _count(group: Body, name: str) -> int | None:
    """Return a number of tokens: an integer that is neither negative nor a boolean."""
    value = group.get(name)
    return value if type(value) is int and value >= 0 else None


def _detail(usage: Body, group: str, name: str) -> int:
    details = usage.get(group)
    return (_count(details, name) or 0) if isinstance(details, dict) else 0


def _object(raw: bytes) -> Body:
    try:
        body = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("not JSON") from error
    if not isinstance(body, dict):
        raise WireError("not a JSON object")
    return body
