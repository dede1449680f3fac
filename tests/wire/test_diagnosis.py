"""Diagnoses: the path of the first fault, what it should have been, never what it was, in bounded work."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, inspect

from gateway.errors import InvalidRequest
from gateway.wire.chat import ChatRequest
from gateway.wire.diagnosis import Comparison, diagnose
from gateway.wire.limits import LIMITS
from tests.wire.hostile import CANARY, encoded, raw, wrong_types


def diagnosed(body: bytes, kind: type[Struct] = ChatRequest) -> InvalidRequest:
    try:
        msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return diagnose(body, kind, error)
    raise AssertionError("the body was taken")


class Leaf(Struct, forbid_unknown_fields=True):
    low: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    word: Annotated[str, Meta(max_length=3)] | UnsetType = UNSET
    few: Annotated[dict[str, int], Meta(max_length=1)] | UnsetType = UNSET
    free: Raw | UnsetType = UNSET


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        (encoded(n="x"), "n", "n must be an integer or null."),
        (encoded(n=9), "n", "n must be 1 to 8."),
        (encoded(temperature=-1), "temperature", "temperature must be 0 to 2."),
        (encoded(repetition_penalty=0), "repetition_penalty", "repetition_penalty must be greater than 0."),
        (encoded(model=""), "model", "model must have 1 to 256 characters."),
        (encoded(messages=[{}] * 2049), "messages", "messages must have at most 2048 items."),
        (encoded(stop=["x"] * 17), "stop", "stop must have at most 16 items."),
        (encoded(stop=1), "stop", "stop must be a string, an array or null."),
        (encoded(stop=["x", 1]), "stop[1]", "stop[1] must be a string."),
        (encoded(verbosity="x"), "verbosity", "verbosity must be high, low, medium or null."),
        (encoded(stream=1), "stream", "stream must be true, false or null."),
        (encoded(logit_bias={"1": "x"}), "logit_bias", "each value of logit_bias must be an integer."),
        (encoded(metadata={"x" * 65: "x"}), "metadata", "each key of metadata must have at most 64 characters."),
        (encoded(messages=[{"role": "x"}]), "messages[0].role", None),
        (encoded(messages=[{"role": "user"}]), "messages[0].content", "messages[0].content is required."),
        (encoded(messages=[{"content": ""}]), "messages[0].role", "messages[0].role is required."),
        (b'{"messages":[]}', "model", "model is required."),
    ],
)
def test_the_path_is_named_and_what_should_stand_there(body: bytes, param: str, message: str | None) -> None:
    error = diagnosed(body)
    assert (error.code, error.param) == ("invalid_field", param)
    if message is not None:
        assert error.message == message


def test_every_bound_is_said() -> None:
    assert diagnosed(b'{"low":0}', Leaf).message == "low must be at least 1."
    assert diagnosed(b'{"word":"long"}', Leaf).message == "word must have at most 3 characters."
    assert diagnosed(b'{"few":{"a":1,"b":2}}', Leaf).message == "few must have at most 1 entries."


def test_a_free_form_value_is_not_looked_into() -> None:
    assert diagnosed(b'{"free":{"x":true},"low":0}', Leaf).param == "low"


@pytest.mark.parametrize(
    ("name", "param"),
    [
        ("priority", "priority"),
        ("h\u00e4\u202e\n\x00\x7f", "h?????"),
        ("x" * 1000, "x" * 64),
        ("x` - at `$.model", "x` - at `$.model"),
        ("", ""),
    ],
)
def test_an_unknown_field_is_named_in_64_printable_characters(name: str, param: str) -> None:
    error = diagnosed(encoded(**{name: CANARY}))
    assert (error.code, error.param) == ("unsupported_field", param)
    assert CANARY not in error.message


def test_an_unknown_field_below_is_named_with_its_path() -> None:
    assert diagnosed(encoded(messages=[{"role": "user", "content": "", "x": 1}])).param == "messages[0].x"


def test_a_field_that_vllm_dropped_points_to_its_successor() -> None:
    assert diagnosed(encoded(guided_json={})).message == "guided_json is not a supported field. Use structured_outputs."


def test_where_the_json_breaks_is_said() -> None:
    assert diagnosed(b'{"model":@}').message == "The body is not valid JSON (near byte 9)."
    assert diagnosed(b'{"model"').message == "The body is not valid JSON."


def test_json_that_breaks_behind_the_first_fault_is_not_json() -> None:
    assert diagnosed(raw(b'"n":"x"')[:-1] + b",,").code == "invalid_json"
    assert diagnosed(raw(b'"n":"x","user":"\xff"')).code == "invalid_json"


def test_a_number_out_of_range_names_the_top_level_field() -> None:
    assert diagnosed(raw(b'"temperature":1e999')).param == "temperature"
    assert diagnosed(b'{"model":"m","messages":[{"role":"user","content":1e999}]}').param == "messages"


def test_the_earlier_of_equal_keys_names_the_top_level_field() -> None:
    error = diagnosed(raw(b'"n":"hunter2-canary","n":1'))
    assert (error.code, error.param) == ("invalid_field", "n")
    assert CANARY not in error.message


def test_depth_is_a_fault_of_its_own() -> None:
    assert (
        diagnosed(raw(b'"chat_template_kwargs":' + b"[" * 500_000 + b"]" * 500_000)).message == "The body is nested too deeply."
    )


def test_all_faults_of_a_body_can_be_listed() -> None:
    body = {"model": 1, "messages": [{"role": "x"}, {"role": "user", "x": 1}], "metadata": {"a": 1, "b": 2}, "x": 1}
    found = Comparison().faults(body, inspect.type_info(ChatRequest), "")
    assert [fault.param for fault in found] == [
        "model",
        "messages[0].role",
        "messages[1].x",
        "messages[1].content",
        "metadata",
        "metadata",
        "x",
    ]


def test_depth_behind_a_fault_does_not_hide_its_code() -> None:
    assert diagnosed(raw(b'"x":1,"y":' + b"[" * 10_000 + b"]" * 10_000)).code == "unsupported_field"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"n": "x"}, "invalid_field", "n"),
        ({"x": 1}, "unsupported_field", None),
        ({"messages": [{"role": "user", "content": "", "x": 1}]}, "unsupported_field", "messages"),
    ],
)
def test_of_a_large_body_only_the_top_level_field_is_named(fields: dict[str, Any], code: str, param: str | None) -> None:
    error = diagnosed(encoded(user="", **fields)[:-1] + b" " * LIMITS.diagnosed_bytes + b"}")
    assert (error.code, error.param) == (code, param)


def test_a_fault_behind_too_many_values_names_the_top_level_field() -> None:
    values = [1] * LIMITS.diagnosed_values
    error = diagnosed(b'{"a":' + msgspec.json.encode([*values, "x"]) + b"}", Numbers)
    assert (error.code, error.param) == ("invalid_field", "a")
    assert diagnosed(b'{"a":[1,"x"]}', Numbers).param == "a[1]"


class Numbers(Struct):
    a: list[int]


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"verbosity": "x' - at `$.secret"}, "verbosity"), ({"x` - at `$.secret": 1}, None), ({"x` - at `$.user": 1}, "user")],
)
def test_no_name_is_shown_of_a_large_body_but_a_fields(fields: dict[str, Any], param: str | None) -> None:
    assert diagnosed(encoded(**fields, user="x" * LIMITS.diagnosed_bytes)).param == param


BODIES = [hostile.body for deep in (True, False) for hostile in wrong_types(deep=deep)]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.sampled_from(BODIES))
def test_what_the_decoder_refuses_for_its_type_is_always_found(body: bytes) -> None:
    assert diagnosed(body).message.endswith((".", "required."))
    assert "wrong type or out of range" not in diagnosed(body).message
