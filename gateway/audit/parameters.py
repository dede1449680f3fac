"""What a caller set, as an entry holds it: numbers and words, no texts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Final

import msgspec

from gateway.audit.entry import SAFE, FinishReason, Parameter

MOST_PARAMETER_BYTES: Final = 4096
"""Bytes of parameters that stand in an entry; of more, only the digest does."""
MOST_WORD: Final = 256
"""Characters of a word in an entry."""

_encoder = msgspec.json.Encoder(order="sorted")
_FINISHES: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "function_call",
    "content_filter": "content_filter",
}


def parameter(value: float | str) -> Parameter:
    """Return a value as an entry can hold it: a fraction, or an integer beyond 2^53, as its shortest exact decimal.

    A boolean stays one. Raises `ValueError` for what is no number.
    """
    if isinstance(value, str):
        return word(value)
    if isinstance(value, int):
        return value if -SAFE <= value <= SAFE else str(value)
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124  # only NaN differs from itself
        raise ValueError("a parameter that is no number")
    return format(Decimal(repr(value)), "f")


def parameters(values: Mapping[str, float | str]) -> tuple[dict[str, Parameter] | None, str | None]:
    """Return parameters for an entry and None, or None and the digest of their canonical bytes where those are too many."""
    held = {name: parameter(value) for name, value in values.items()}
    data = _encoder.encode(held)
    if len(data) <= MOST_PARAMETER_BYTES:
        return held, None
    return None, sha256(data).hexdigest()


def word(text: str) -> str:
    """Return a text that an upstream chose, such as the id of its answer, shortened to what a name may hold."""
    return text[:MOST_WORD].encode("utf-8", "replace").decode()


def finish_reasons(finish: str) -> list[FinishReason]:
    """Return the finish_reasons of an exchange's choices (joined by commas); one that OpenAI does not know is `other`."""
    return [_FINISHES.get(each, "other") for each in finish.split(",") if each]
