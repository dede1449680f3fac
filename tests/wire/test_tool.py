"""Tools and the choice among them: told by their type, passed on as given."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import InvalidRequest
from gateway.wire import tool
from gateway.wire.chat import read_chat_request, write_chat_request
from tests.wire.hostile import encoded


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("none", str),
        ("auto", str),
        ("required", str),
        ({"type": "function", "function": {"name": "f"}}, tool.FunctionChoice),
        ({"type": "custom", "custom": {"name": "f"}}, tool.CustomChoice),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}, tool.AllowedChoice),
    ],
)
def test_a_tool_choice_is_a_word_or_told_by_its_type(given: Any, kind: type) -> None:
    request = read_chat_request(encoded(tool_choice=given))
    assert type(request.tool_choice) is kind
    assert msgspec.json.decode(write_chat_request(request))["tool_choice"] == given


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("any", "tool_choice"),
        ({"type": "any"}, "tool_choice.type"),
        ({"function": {"name": "f"}}, "tool_choice.type"),
        ({"type": "function", "function": {"name": ""}}, "tool_choice.function.name"),
    ],
)
def test_another_tool_choice_is_refused(given: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(encoded(tool_choice=given))
    assert caught.value.param == param


@pytest.mark.parametrize(
    "given",
    [
        {"type": "function", "function": {"name": "f"}},
        {"type": "function", "function": {"name": "f", "description": None, "parameters": None, "strict": None}},
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}},
        {"type": "custom", "custom": {"name": "c", "description": "d", "format": {"type": "text"}}},
    ],
)
def test_a_tool_is_passed_on_as_given(given: dict[str, Any]) -> None:
    body = encoded(tools=[given])
    assert msgspec.json.decode(write_chat_request(read_chat_request(body))) == msgspec.json.decode(body)


@pytest.mark.parametrize("given", ["none", "auto", {"name": "f"}])
def test_a_legacy_choice_is_a_word_or_a_name(given: Any) -> None:
    request = read_chat_request(encoded(functions=[{"name": "f"}], function_call=given))
    assert msgspec.to_builtins(request.function_call) == given
