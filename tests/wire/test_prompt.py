"""`prompt` in a chat request: read strictly, its variables within bounds, and messages left out only beside it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw

from gateway.errors import InvalidRequest
from gateway.wire.chat import ChatRequest, read_chat_request
from gateway.wire.limits import LIMITS
from gateway.wire.prompt import PromptCall, read_variables


def asked(**fields: Any) -> ChatRequest:
    return read_chat_request(msgspec.json.encode(fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "prompt/support/triage@production"},
        {"model": "prompt/support/triage", "messages": []},
        {"model": "chat", "prompt": {"id": "support/triage", "version": "v2", "variables": {"ticket": "help"}}},
    ],
)
def test_messages_may_be_left_out_where_a_prompt_is_named(fields: dict[str, Any]) -> None:
    assert asked(**fields).messages == []


@pytest.mark.parametrize("fields", [{"model": "chat"}, {"model": "chat", "messages": []}, {"model": "prompts/x", "messages": []}])
def test_without_a_prompt_there_must_be_messages(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked(**fields)
    assert (refused.value.code, refused.value.param) == ("invalid_field", "messages")


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        ({"id": ""}, "prompt.id"),
        ({"id": "x" * 257}, "prompt.id"),
        ({"id": 1}, "prompt.id"),
        ({"version": 2}, "prompt.version"),
        ({"name": "x"}, "prompt.name"),
        ("support/triage", "prompt"),
        (None, "prompt"),
    ],
)
def test_a_wrong_field_is_named(prompt: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked(model="chat", prompt=prompt)
    assert refused.value.param == param


def test_variables_are_an_object_and_none_where_none_were_sent() -> None:
    assert read_variables(UNSET) == {}
    assert read_variables(Raw(b"null")) == {}
    assert read_variables(Raw(b'{"a": [1, null], "a": "last"}')) == {"a": "last"}


@pytest.mark.parametrize(
    "variables", [b"[]", b'"x"', b"1", b'{"a":' + b"[" * 65 + b"]" * 65 + b"}", b'{"a": 1e999}', b'{"a": "\\ud800"}']
)
def test_variables_of_another_shape_are_refused(variables: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_variables(Raw(variables))
    assert refused.value.param == "prompt.variables"


def test_variables_hold_so_many_values_and_no_more() -> None:
    most = LIMITS.variable_values
    assert len(read_variables(Raw(msgspec.json.encode({"a": [1] * most})))["a"]) == most
    with pytest.raises(InvalidRequest, match="more than 50000 values"):
        read_variables(Raw(msgspec.json.encode({"a": [1] * (most + 2)})))


def test_commas_in_text_are_no_values() -> None:
    text = ',\\",' * LIMITS.variable_values
    assert read_variables(Raw(msgspec.json.encode({"a": text}))) == {"a": text}


def test_variables_are_so_large_and_no_larger() -> None:
    room = LIMITS.variables_bytes - len('{"a":""}')
    assert len(read_variables(Raw(b'{"a":"' + b"x" * room + b'"}'))["a"]) == room
    with pytest.raises(InvalidRequest, match="larger than"):
        read_variables(Raw(b'{"a":"' + b"x" * (room + 1) + b'"}'))


def test_a_megabyte_of_variables_is_no_option_that_is_too_large() -> None:
    request = asked(model="chat", prompt={"id": "a/b", "variables": {"text": "x" * 1_000_000}})
    assert isinstance(request.prompt, PromptCall)
    assert len(read_variables(request.prompt.variables)["text"]) == 1_000_000


def test_control_a_megabyte_beside_the_prompt_is() -> None:
    with pytest.raises(InvalidRequest, match="beside messages"):
        asked(model="chat", prompt={"id": "a/b"}, user="x" * 1_000_000)
