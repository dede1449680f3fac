"""JSON of any shape inside a request (schemas, template arguments): bounded before it is decoded, then in one normal form.

A free-form part arrives as the bytes that it was. Its size and depth are checked on the bytes, because a few kilobytes of
brackets become megabytes of objects; only then it is decoded, which checks text and numbers, and encoded again, which leaves
the last of equal keys and no spaces between tokens. Integers keep every digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import InvalidRequest

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

_PARENTHESES = bytes.maketrans(b"[]{}", b"()()")
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_NOUNS = {dict: "an object", list: "an array", str: "a string", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Bound:
    """What a free-form part may be: its size as sent, its depth, the kinds of value (of object, array, string, null)."""

    max_bytes: int
    max_depth: int
    kinds: tuple[type, ...] = (dict,)


def deeper_than(raw: bytes, limit: int) -> bool:
    """Tell whether valid JSON nests arrays and objects deeper than `limit`, without decoding it."""
    if raw.count(b"{") + raw.count(b"[") <= limit:
        return False
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(raw.split(b'"')[::2])
    brackets = outside_strings.translate(_PARENTHESES, _NO_BRACKETS)
    depth = 0
    while brackets and depth < limit:
        brackets = brackets.replace(b"()", b"")  # the innermost pairs
        depth += 1
    return bool(brackets)


def normalise(raw: bytes, bound: Bound, *, param: str) -> tuple[bytes, Any]:
    """Return free-form JSON in its normal form, and decoded; raises `InvalidRequest` naming `param`."""
    value = decoded(raw, bound, param=param)
    return _encode(value), value


def decoded(raw: bytes, bound: Bound, *, param: str) -> Any:
    """Return free-form JSON as a value; raises as `normalise` does."""
    if len(raw) > bound.max_bytes:
        raise InvalidRequest(f"{param} is larger than {bound.max_bytes} bytes.", param=param)
    if deeper_than(raw, bound.max_depth):
        raise InvalidRequest(f"{param} is nested deeper than {bound.max_depth}.", param=param)
    try:
        value = _decode(raw)
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8.", code="invalid_json", param=param) from None
    except msgspec.ValidationError:
        raise InvalidRequest(f"{param} holds a number out of range.", param=param) from None
    except msgspec.DecodeError:
        raise InvalidRequest(f"{param} is not valid JSON.", param=param) from None
    if not isinstance(value, bound.kinds):
        raise InvalidRequest(f"{param} must be {' or '.join(_NOUNS[kind] for kind in bound.kinds)}.", param=param)
    return value
