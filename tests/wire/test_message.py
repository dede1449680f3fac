"""Messages: each role takes its own fields, and a decoded message cannot be changed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import InvalidRequest
from gateway.wire import message
from gateway.wire.chat import read_chat_request
from tests.wire.hostile import encoded

TEXT = {"type": "text", "text": "a"}
REFUSAL = {"type": "refusal", "refusal": "no"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


def read(**fields: Any) -> message.Message:
    return read_chat_request(encoded(messages=[fields])).messages[0]


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("system", message.SystemMessage),
        ("developer", message.DeveloperMessage),
        ("user", message.UserMessage),
        ("assistant", message.AssistantMessage),
    ],
)
def test_a_role_makes_its_own_message(role: str, kind: type) -> None:
    assert type(read(role=role, content="hi", name="n")) is kind


def test_tool_and_function_answer_by_their_names() -> None:
    assert read(role="tool", content="hi", tool_call_id="1", name="f") == message.ToolMessage("hi", "1", "f")
    assert read(role="function", content=None, name="f") == message.FunctionMessage(None, "f")


@pytest.mark.parametrize(
    ("role", "part"), [("system", IMAGE), ("developer", REFUSAL), ("user", REFUSAL), ("assistant", IMAGE), ("tool", IMAGE)]
)
def test_a_role_takes_only_its_own_parts(role: str, part: dict[str, Any]) -> None:
    fields = {"tool_call_id": "1"} if role == "tool" else {}
    read(role=role, content=[TEXT], **fields)
    with pytest.raises(InvalidRequest) as caught:
        read(role=role, content=[TEXT, part], **fields)
    assert caught.value.param in {
        "messages[0].content[1].type",
        "messages[0].content[1].image_url",
        "messages[0].content[1].refusal",
    }


@pytest.mark.parametrize("role", ["system", "user"])
def test_a_part_without_its_type_is_refused_in_every_role(role: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(role=role, content=[{"text": "a"}])
    assert caught.value.param == "messages[0].content[0].type"


@pytest.mark.parametrize(
    "field", ["content", "refusal", "tool_calls", "audio", "function_call", "annotations", "reasoning", "reasoning_content"]
)
def test_an_answer_sent_back_may_have_null_for_what_it_has_not(field: str) -> None:
    assert getattr(read(role="assistant", **{field: None}), field) is None


def test_an_answer_with_a_citation_may_be_sent_back() -> None:
    citation = {"start_index": 0, "end_index": 1, "title": "a", "url": "https://a"}
    answer = {"role": "assistant", "content": "a", "annotations": [{"type": "url_citation", "url_citation": citation}]}
    assert msgspec.to_builtins(read(**answer)) == answer


def test_a_message_does_not_change() -> None:
    with pytest.raises(AttributeError):
        read(role="user", content="hi").content = "ho"  # type: ignore[misc]
