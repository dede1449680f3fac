"""Chat requests: what is taken is passed on as it was given, what is not taken is refused with its path and without its value."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from gateway.errors import InvalidRequest
from gateway.wire.chat import ChatRequest, read_chat_request, write_chat_request
from gateway.wire.limits import LIMITS
from tests.wire import sdk
from tests.wire.hostile import CANARY, HARMLESS, HOSTILE, Harmless, Hostile, encoded, raw, wrong_types

BEYOND_THE_SDK = {
    "prompt",
    "top_k",
    "min_p",
    "repetition_penalty",
    "stop_token_ids",
    "allowed_token_ids",
    "bad_words",
    "include_stop_str_in_output",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "structured_outputs",
    "chat_template_kwargs",
}
NOT_TAKEN_OF_THE_SDK = {"file_id": "a file's id names something in the operator's account, perhaps another tenant's"}
VLLM_SAMPLING: dict[str, Any] = {
    "top_k": -1,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "stop_token_ids": [2],
    "allowed_token_ids": [1, 2],
    "bad_words": ["no"],
    "include_stop_str_in_output": True,
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
    "chat_template_kwargs": {"enable_thinking": False},
}


def passed_on(body: bytes) -> Any:
    return msgspec.json.decode(write_chat_request(read_chat_request(body)))


def refusal(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(body)
    return caught.value


@pytest.mark.parametrize("hostile", HOSTILE, ids=[hostile.name for hostile in HOSTILE])
def test_a_hostile_body_is_refused_with_its_code_and_without_its_values(hostile: Hostile) -> None:
    error = refusal(hostile.body)
    assert error.code == hostile.code
    if hostile.param is not None:
        assert error.param == hostile.param
    assert CANARY not in f"{error.message}{error.param}"
    assert len(error.message) < 500


def test_at_least_forty_hostile_bodies_are_tried_by_hand() -> None:
    assert len(HOSTILE) - len(list(wrong_types(deep=False))) >= 40


def test_a_wrong_type_at_any_depth_is_refused_with_its_path() -> None:
    bodies = list(wrong_types(deep=True))
    assert len(bodies) > 500
    for hostile in bodies:
        error = refusal(hostile.body)
        assert (error.code, error.param) == (hostile.code, hostile.param), hostile.name
        assert CANARY not in error.message


@pytest.mark.parametrize("harmless", HARMLESS, ids=[harmless.name for harmless in HARMLESS])
def test_a_body_that_only_looks_hostile_is_taken(harmless: Harmless) -> None:
    assert passed_on(harmless.body) == harmless.means


def test_every_field_of_the_sdk_is_taken_and_passed_on_as_given() -> None:
    samples = list(sdk.requests())
    assert len(samples) > 400
    for sample in samples:
        if not any(f".{name}" in sample.path for name in NOT_TAKEN_OF_THE_SDK):
            assert passed_on(msgspec.json.encode(sample.value)) == sample.value, sample.path


def test_what_the_sdk_requires_is_required_at_any_depth() -> None:
    samples = list(sdk.incomplete())
    assert len(samples) > 50
    for sample in samples:
        error = refusal(msgspec.json.encode(sample.value))
        assert error.code == "invalid_field"
        assert error.param is not None
        assert error.param.rpartition(".")[2] == sample.path.rpartition(".")[2], sample.path


def test_no_field_is_taken_but_the_sdks_and_the_ones_listed() -> None:
    assert set(ChatRequest.__struct_encode_fields__) == sdk.fields() | BEYOND_THE_SDK


def test_control_a_field_that_the_request_lacks_is_found() -> None:
    sample = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "a_field_of_a_later_sdk": 1}
    assert refusal(msgspec.json.encode(sample)).code == "unsupported_field"


@pytest.mark.parametrize("name", VLLM_SAMPLING)
def test_vllms_sampling_fields_are_passed_on(name: str) -> None:
    assert passed_on(encoded(**{name: VLLM_SAMPLING[name]}))[name] == VLLM_SAMPLING[name]


def test_null_stands_where_it_was_given_and_nothing_where_nothing_was() -> None:
    request = read_chat_request(encoded(stop=None, tools=None, user=None))
    assert (request.stop, request.tools, request.user) == (None, None, None)
    assert (request.seed, request.stream) == (UNSET, UNSET)
    assert msgspec.json.decode(write_chat_request(request)) == msgspec.json.decode(encoded(stop=None, tools=None, user=None))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(text=st.text(), name=st.text(), free=st.dictionaries(st.text(), JSON, max_size=4), seed=st.integers(-(2**63), 2**63 - 1))
def test_any_text_integer_and_free_form_json_is_passed_on_as_given(text: str, name: str, free: dict[str, Any], seed: int) -> None:
    parameters = {"type": "object", "default": free}
    body = encoded(
        messages=[
            {"role": "user", "content": text, "name": name},
            {"role": "assistant", "content": None, "tool_calls": [
                {"type": "function", "id": name, "function": {"name": name, "arguments": text}},
            ]},
        ],
        tools=[{"type": "function", "function": {"name": "f", "parameters": parameters}}],
        chat_template_kwargs=free,
        seed=seed,
    )  # fmt: skip
    assert passed_on(body) == msgspec.json.decode(body)


@settings(max_examples=500, derandomize=True, deadline=None)
@given(data=st.data(), where=st.integers(0, 400), cut=st.integers(0, 8), put=st.binary(max_size=4))
def test_no_damage_of_a_body_raises_anything_but_a_refusal(data: st.DataObject, where: int, cut: int, put: bytes) -> None:
    body = data.draw(st.sampled_from(WHOLE))
    damaged = body[:where] + put + body[where + cut :]
    try:
        read_chat_request(damaged)
    except InvalidRequest as error:
        assert error.code in {"invalid_json", "invalid_field", "unsupported_field"}  # noqa: PT017 - a damaged body may be fine


WHOLE = [
    encoded(
        **VLLM_SAMPLING,
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "a": [1.5, "\u00e9"]}}}],
        logit_bias={"1": 1},
        metadata={"a": "b"},
    ),
    encoded(
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:,"}}]},
            {"role": "assistant", "content": None, "tool_calls": []},
        ],
        structured_outputs={"json": {"type": "object"}},
    ),
]


def test_the_last_of_equal_keys_counts_and_alone_is_passed_on() -> None:
    request = read_chat_request(raw(b'"chat_template_kwargs":{"a":1,"b":{"c":1,"c":2},"a":3},"n":1,"n":2'))
    assert request.chat_template_kwargs == Raw(b'{"a":3,"b":{"c":2}}')
    assert request.n == 2


@pytest.mark.parametrize("option", ["user", "chat_template_kwargs"])
def test_a_body_that_is_not_messages_is_bounded_before_it_becomes_objects(option: str) -> None:
    body = encoded(**{option: {"a": "x" * LIMITS.options_bytes}})
    assert "beside messages" in refusal(body).message


def test_messages_that_are_cut_from_a_large_body_by_an_equal_key_count_as_options() -> None:
    first = msgspec.json.encode([{"role": "user", "content": "x" * LIMITS.options_bytes}])
    assert (
        "beside messages" in refusal(b'{"model":"m","messages":' + first + b',"messages":[{"role":"user","content":""}]}').message
    )
