"""OpenAI's answers, read: checked where we rely on them, passed on where we do not.

A body stays the mapping that was decoded, so that unknown fields pass through; the functions here check its shape before
anything else touches it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.exchange.usage import Usage

Body = dict[str, Any]
"""A decoded completion or chunk."""


class WireError(Exception):
    """A body is not what OpenAI's specification says; the message never quotes it."""


_decode = msgspec.json.Decoder().decode


def read_completion(raw: bytes) -> Body:
    """Decode a whole chat completion; raises `WireError` unless every choice has a message and a finish_reason."""
    body = _object(raw)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise WireError("a completion without choices")
    for choice in choices:
        if not (
            isinstance(choice, dict)
            and isinstance(choice.get("index"), int)
            and isinstance(choice.get("message"), dict)
            and isinstance(choice.get("finish_reason"), str)
        ):
            raise WireError("a choice without index, message or finish_reason")
    return body


def read_chunk(raw: bytes) -> Body:
    """Decode one chunk of a stream; raises `WireError` unless it has choices with index and delta, or is an error event."""
    body = _object(raw)
    if "error" in body:
        return body
    choices = body.get("choices")
    if not isinstance(choices, list):
        raise WireError("a chunk without choices")
    for choice in choices:
        if not (isinstance(choice, dict) and isinstance(choice.get("index"), int) and isinstance(choice.get("delta"), dict)):
            raise WireError("a choice without index or delta")
        finish = choice.get("finish_reason")
        if finish is not None and not isinstance(finish, str):
            raise WireError("a finish_reason that is not a string")
    return body


def usage_of(body: Body) -> Usage | None:
    """Return the usage that a body reports, or None where it reports none."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = usage.get("prompt_tokens")
    completion = usage.get("completion_tokens", 0)
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    return Usage(
        input=prompt,
        output=completion,
        cached=_detail(usage, "prompt_tokens_details", "cached_tokens"),
        reasoning=_detail(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def _detail(usage: Body, group: str, name: str) -> int:
    details = usage.get(group)
    value = details.get(name) if isinstance(details, dict) else None
    return value if isinstance(value, int) else 0


def _object(raw: bytes) -> Body:
    try:
        body = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("not JSON") from error
    if not isinstance(body, dict):
        raise WireError("not a JSON object")
    return body
