"""Free-form JSON: bounded on its bytes, then in one normal form."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.wire.freeform import Bound, deeper_than, normalise

ANY = Bound(100_000, 64, (dict, list, str, type(None)))


def refusal(raw: bytes, bound: Bound = ANY) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        normalise(raw, bound, param="x.y")
    assert caught.value.param == "x.y"
    return caught.value


def depth_of(value: Any) -> int:
    """Return how deep arrays and objects nest, by walking them."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if children is None else 1 + max(map(depth_of, children), default=0)


TRICKY = st.text(st.sampled_from('[]{}"\\,: \n\u00e9a'), max_size=6)
JSON = st.recursive(
    st.none() | st.integers(-9, 9) | TRICKY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TRICKY, inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(value=JSON, limit=st.integers(0, 8), spaced=st.booleans())
@example(value={"a": "]" * 9 + "[" * 9, "b": [[[[]]]]}, limit=4, spaced=False)
@example(value=["\\", [], '\\"[', [[]]], limit=2, spaced=True)
def test_depth_is_told_from_the_bytes_as_by_walking(value: Any, limit: int, *, spaced: bool) -> None:
    raw = msgspec.json.encode(value)
    if spaced:
        raw = msgspec.json.format(raw)
    assert deeper_than(raw, limit) == (depth_of(value) > limit)


def test_a_million_brackets_are_refused_without_decoding() -> None:
    assert deeper_than(b"[" * 1_000_000 + b"]" * 1_000_000, 64)
    assert not deeper_than(b"[" + b"[]," * 300_000 + b"[]]", 2)


def test_the_normal_form_has_no_spaces_and_the_last_of_equal_keys() -> None:
    assert normalise(b' {"a" : [ 1 , 2 ],\n"b":1, "a":{}} ', ANY, param="")[0] == b'{"a":{},"b":1}'


@settings(max_examples=300, derandomize=True, deadline=None)
@given(JSON.filter(lambda value: not isinstance(value, int)))
def test_the_normal_form_says_the_same_and_is_its_own(value: Any) -> None:
    text, decoded = normalise(msgspec.json.format(msgspec.json.encode(value)), ANY, param="")
    assert decoded == value
    assert normalise(text, ANY, param="") == (text, value)


@pytest.mark.parametrize("number", ["0", "-1", "18446744073709551616", "-9223372036854775809", "9" * 4000, "0.1", "1e300"])
def test_a_number_keeps_its_value(number: str) -> None:
    text, _ = normalise(b"[" + number.encode() + b"]", ANY, param="")
    assert msgspec.json.decode(text) == msgspec.json.decode(f"[{number}]")
    if "." not in number and "e" not in number:
        assert text.decode() == f"[{number}]"


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"9" * 5000])
def test_a_number_out_of_range_is_refused(number: bytes) -> None:
    assert refusal(b"[" + number + b"]").message == "x.y holds a number out of range."


def test_size_and_depth_are_refused() -> None:
    assert refusal(b'{"a":1}', Bound(6, 1)).message == "x.y is larger than 6 bytes."
    assert refusal(b'{"a":{}}', Bound(100, 1)).message == "x.y is nested deeper than 1."


def test_the_kind_of_value_is_held_to() -> None:
    assert refusal(b"[]", Bound(100, 9)).message == "x.y must be an object."
    assert refusal(b"1", ANY).message == "x.y must be an object or an array or a string or null."


@pytest.mark.parametrize(
    ("raw", "code"),
    [(b'{"a":"\xff"}', "invalid_json"), (b'{"a"}', "invalid_field"), (b"", "invalid_field"), (b"NaN", "invalid_field")],
)
def test_what_is_not_json_is_refused(raw: bytes, code: str) -> None:
    assert refusal(raw).code == code
