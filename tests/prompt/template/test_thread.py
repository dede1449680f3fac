from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.prompt.template.thread import read_thread
from gateway.wire.limits import LIMITS
from gateway.wire.message import AssistantMessage, Message, SystemMessage, TextPart, ToolMessage, UserMessage

POINTER = "/prompt/variables/history"
SECRET = "s3cr3t"
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def _refusal(value: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_thread(value, pointer=POINTER)
    assert caught.value.code == "prompt_variables_invalid"
    assert SECRET not in caught.value.message + (caught.value.param or "")
    return caught.value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (None, ""),
        ("x", ""),
        ({}, ""),
        (object(), ""),
        ("\ud800", ""),
        ([{"role": "user", "content": "\ud800"}], ""),
        ([SECRET], "/0"),
        ([{}], "/0/role"),
        ([{"role": "system", "content": SECRET}], "/0/role"),
        ([{"role": "developer", "content": SECRET}], "/0/role"),
        ([{"role": "function", "name": "f", "content": SECRET}], "/0/role"),
        ([{"role": SECRET, "content": "x"}], "/0/role"),
        ([{"role": "user", "content": "x"}, {"role": "user", "content": 1}], "/1/content"),
        ([{"role": "user"}], "/0/content"),
        ([{"role": "user", "content": [{"type": "text", "text": 1}]}], "/0/content/0/text"),
        ([{"role": "tool", "content": "x"}], "/0/tool_call_id"),
        ([{"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f"}}]}], "/0/tool_calls/0/function/arguments"),
        ([{"role": "user", "content": "x", SECRET: 1}], "/0/?"),
        ([{"role": "user", "content": [{"type": "text", "text": "x", SECRET: 1}]}], "/0/content/0/?"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1"}}]}],
            "/0/content/0/image_url/url",
        ),
        ([{"role": "user", "content": "x"}] * (LIMITS.messages + 1), ""),
        ([{"role": "user", "content": [{"type": "text", "text": "x"}] * (LIMITS.parts + 1)}], "/0/content"),
    ],
)
def test_what_is_no_thread_is_refused_with_its_place(value: Any, place: str) -> None:
    refusal = _refusal(value)
    assert refusal.param == POINTER + place
    assert POINTER + place in refusal.message


def test_a_large_thread_is_refused_too_if_less_precisely() -> None:
    value = [{"role": "user", "content": "x" * LIMITS.diagnosed_bytes}, {"role": "user", "content": 1}]
    assert (_refusal(value).param or "").startswith(POINTER)


def test_a_thread_nested_too_deep_is_refused() -> None:
    value: list[Any] = []
    for _ in range(10_000):
        value = [value]
    assert (_refusal(value).param or "").startswith(POINTER)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"role": "user", "content": "hi"}, UserMessage(content="hi")),
        (
            {"role": "user", "content": [{"type": "text", "text": "hi"}], "name": "a"},
            UserMessage(content=[TextPart("hi")], name="a"),
        ),
        ({"role": "assistant", "content": None}, AssistantMessage(content=None)),
        ({"role": "tool", "content": "42", "tool_call_id": "c1"}, ToolMessage(content="42", tool_call_id="c1")),
    ],
)
def test_messages_of_the_three_roles_are_read(value: Any, message: Message) -> None:
    assert read_thread([value], pointer=POINTER) == [message]


def test_no_messages_are_a_thread() -> None:
    assert read_thread([]) == []
    assert read_thread(()) == []


def test_messages_that_are_read_already_go_through() -> None:
    messages = [UserMessage(content="hi"), AssistantMessage(content="hello")]
    assert read_thread(messages) is messages


def test_messages_that_are_read_already_are_held_to_the_roles_too() -> None:
    assert _refusal([SystemMessage(content=SECRET)]).param == f"{POINTER}/0/role"


def test_an_answer_is_taken_as_the_sdk_sends_it_back() -> None:
    (message,) = read_thread([{"role": "assistant", "content": "x", "parsed": {"a": 1}, "tool_calls": [{**CALL, "index": 0}]}])
    assert isinstance(message, AssistantMessage)
    assert message.parsed is UNSET
    assert message.tool_calls
    assert message.tool_calls[0].index is UNSET
