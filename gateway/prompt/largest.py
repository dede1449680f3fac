"""The largest variables that a contract admits: what a version's messages can grow to. Pure.

A text has four bytes of UTF-8 a character. What a pattern or a format would forbid is not looked at, so that values may be larger
than any that pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import UnsetType

from gateway.errors import InvalidRequest
from gateway.prompt.contract.contract import Contract
from gateway.prompt.library.version import Version
from gateway.tokens.bound import bound

WIDEST: Final = "\U0010fffd"
"""A character of four bytes."""
MOST_BYTES: Final = 4_194_304
"""What is larger together counts as without a bound."""

_INTEGERS: Final = (-(2**63), 2**63 - 1)
_NUMBERS: Final = (-2.2250738585072014e-308, -1.7976931348623157e308)


class Unbounded(Exception):
    """A contract admits values without a bound: the message names the input that has none."""


def largest(contract: Contract) -> dict[str, Any]:
    """Return the largest value for every input; raises `Unbounded` where one has none."""
    values: dict[str, Any] = {}
    left = MOST_BYTES
    for name, schema in contract.schema["properties"].items():
        if name in contract.threads:
            raise Unbounded(name)
        try:
            values[name], size = _largest(schema)
        except Unbounded:
            raise Unbounded(name) from None
        left -= size
        if left < 0:
            raise Unbounded(name)
    return values


def most_tokens(version: Version) -> int | None:
    """Return how many tokens a version's messages have at most, None where nothing bounds them.

    It renders with the largest variables and counts bytes. Where a template shows more of smaller variables, only the version's
    budget is a true bound.
    """
    most = None
    with suppress(Unbounded, InvalidRequest):  # also what would be too much to render
        messages = version.template.render(largest(version.contract))
        most = bound(messages, () if isinstance(version.tools, UnsetType) else version.tools)
    budget = None if version.budget is None else version.budget.max_input_tokens
    return min((each for each in (most, budget) if each is not None), default=None)


def _largest(schema: Mapping[str, Any]) -> tuple[Any, int]:
    """Return the largest value that fits a schema, and about how many bytes it has."""
    if "enum" in schema:
        return _longest(schema["enum"])
    kind = schema["type"]
    return _OF_TYPE[kind if isinstance(kind, str) else kind[0]](schema)


def _text(schema: Mapping[str, Any]) -> tuple[str, int]:
    length = schema.get("maxLength")
    if length is None or length * len(WIDEST.encode()) > MOST_BYTES:
        raise Unbounded
    return WIDEST * length, length * len(WIDEST.encode())


def _array(schema: Mapping[str, Any]) -> tuple[list[Any], int]:
    length, items = schema.get("maxItems"), schema.get("items")
    if length == 0:
        return [], 0
    if length is None or items is None:
        raise Unbounded
    item, size = _largest(items)
    if length * (size + 1) > MOST_BYTES:
        raise Unbounded
    return [item] * length, length * (size + 1)


def _object(schema: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    properties = schema.get("properties")
    if properties is None:
        raise Unbounded
    parts = {name: _largest(part) for name, part in properties.items()}
    return {name: value for name, (value, _) in parts.items()}, sum(size for _, size in parts.values())


def _longest(values: Iterable[Any]) -> tuple[Any, int]:
    """Return the value whose text is the longest, and its bytes."""
    sizes = [(len(msgspec.json.encode(value)), place, value) for place, value in enumerate(values)]
    size, _, value = max(sizes)
    return value, size


_OF_TYPE: Final[Mapping[str, Callable[[Mapping[str, Any]], tuple[Any, int]]]] = {
    "string": _text,
    "integer": lambda schema: _longest([schema.get("minimum", _INTEGERS[0]), schema.get("maximum", _INTEGERS[1])]),
    "number": lambda _schema: _longest(_NUMBERS),
    "boolean": lambda _schema: _longest([False, True]),
    "array": _array,
    "object": _object,
}
