"""Answers: what later steps rely on is checked, everything else passes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.exchange.usage import Usage
from gateway.wire.answer import WireError, read_chunk, read_completion, usage_of

NOT_OBJECTS = [b"", b"null", b"42", b"[]", b'"a"', b"{", b"<html>", b'{"a":"\xff"}', b'{"a":' + b"[" * 10_000, b'{"a":NaN}']


def completion(**fields: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop", **fields}
    return msgspec.json.encode({"id": "1", "choices": [choice]})


def chunk(**fields: Any) -> bytes:
    return msgspec.json.encode({"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": None, **fields}]})


@pytest.mark.parametrize("raw", NOT_OBJECTS)
def test_what_is_no_json_object_is_no_answer(raw: bytes) -> None:
    with pytest.raises(WireError):
        read_completion(raw)
    with pytest.raises(WireError):
        read_chunk(raw)


@pytest.mark.parametrize("choices", [None, "a", {}, [], [None], ["a"], [[]], [{}]])
def test_a_completion_needs_choices(choices: object) -> None:
    with pytest.raises(WireError):
        read_completion(msgspec.json.encode({"choices": choices}))


@pytest.mark.parametrize("name", ["index", "message", "finish_reason"])
@pytest.mark.parametrize("value", [None, True, 1.5, [], ""])
def test_a_choice_of_a_completion_needs_index_message_and_finish_reason(name: str, value: object) -> None:
    with pytest.raises(WireError):
        read_completion(completion(**{name: value}))


@pytest.mark.parametrize("choices", [None, "a", {}, [None], [[]], [{}]])
def test_a_chunk_needs_choices_that_are_objects(choices: object) -> None:
    with pytest.raises(WireError):
        read_chunk(msgspec.json.encode({"choices": choices}))


@pytest.mark.parametrize(
    ("name", "value"), [("index", None), ("index", True), ("delta", None), ("delta", ""), ("finish_reason", 1)]
)
def test_a_choice_of_a_chunk_needs_index_and_delta(name: str, value: object) -> None:
    with pytest.raises(WireError):
        read_chunk(chunk(**{name: value}))


@pytest.mark.parametrize("name", ["content", "reasoning", "reasoning_content", "refusal"])
@pytest.mark.parametrize("value", [1, True, [], ["a"], {"a": "b"}])
def test_a_text_is_a_string_or_null(name: str, value: object) -> None:
    for allowed in ({name: "a"}, {name: None}, {}):
        read_completion(completion(message=allowed))
        read_chunk(chunk(delta=allowed))
    with pytest.raises(WireError):
        read_completion(completion(message={name: value}))
    with pytest.raises(WireError):
        read_chunk(chunk(delta={name: value}))


def test_an_error_of_the_decoder_is_never_quoted() -> None:
    with pytest.raises(WireError) as caught:
        read_chunk(b'{"choices":hunter2-canary}')
    assert "hunter2" not in str(caught.value)


def test_unknown_fields_pass() -> None:
    body = {
        "id": "1",
        "new": {"a": [1]},
        "choices": [{"index": 0, "message": {"new": 1}, "finish_reason": "a_new_one", "x": None}],
    }
    assert read_completion(msgspec.json.encode(body)) == body


@pytest.mark.parametrize("finish", [{}, {"finish_reason": None}, {"finish_reason": "stop"}, {"finish_reason": ""}])
def test_a_chunk_may_have_no_finish_reason(finish: dict[str, Any]) -> None:
    body = {"choices": [{"index": 0, "delta": {}, **finish}]}
    assert read_chunk(msgspec.json.encode(body)) == body


def test_a_chunk_of_usage_alone_has_no_choices() -> None:
    assert read_chunk(b'{"choices":[],"usage":{"prompt_tokens":1}}')["choices"] == []


@pytest.mark.parametrize("error", [b'{"message":"boom","code":500}', b'"boom"', b"{}", b"500"])
def test_an_error_event_is_given_as_it_is(error: bytes) -> None:
    assert "error" in read_chunk(b'{"error":' + error + b"}")


def test_an_error_that_is_null_is_none() -> None:
    assert "error" not in read_chunk(b'{"error":null,"choices":[]}')
    with pytest.raises(WireError):
        read_chunk(b'{"error":null}')


def test_usage_is_read_with_its_parts() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert usage_of({"usage": usage}) == Usage(input=10, output=5, cached=4, reasoning=3)


@pytest.mark.parametrize("details", [None, 1, {}, {"cached_tokens": None}, {"cached_tokens": -1}, {"cached_tokens": True}])
def test_details_that_cannot_be_read_count_nothing(details: object) -> None:
    assert usage_of({"usage": {"prompt_tokens": 2, "prompt_tokens_details": details}}) == Usage(input=2, output=0)


def test_details_are_never_more_than_the_whole() -> None:
    usage = {"prompt_tokens": 2, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}}
    assert usage_of({"usage": usage}) == Usage(input=2, output=1, cached=2)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {},
        {"prompt_tokens": None},
        {"prompt_tokens": "1"},
        {"prompt_tokens": 1.0},
        {"prompt_tokens": True},
        {"prompt_tokens": -1},
        {"prompt_tokens": 1, "completion_tokens": None},
        {"prompt_tokens": 1, "completion_tokens": -1},
    ],
)
def test_usage_that_cannot_be_counted_with_is_none(usage: object) -> None:
    assert usage_of({"usage": usage}) is None


def test_no_usage_is_none() -> None:
    assert usage_of({}) is None


@pytest.mark.parametrize("finish", ["abort", "error"])
def test_an_answer_that_the_server_gave_up_is_no_answer(finish: str) -> None:
    message = {"index": 0, "message": {"content": "Hel"}, "finish_reason": finish}
    with pytest.raises(WireError, match="given up"):
        read_completion(msgspec.json.encode({"choices": [message]}))
    delta = {"index": 0, "delta": {"content": "lo"}, "finish_reason": finish}
    with pytest.raises(WireError, match="given up"):
        read_chunk(msgspec.json.encode({"choices": [delta]}))
