from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.budget.estimate import BESIDE_FRAME, Estimate, beside, estimate
from gateway.tokens.bound import BoundCounter
from gateway.wire.chat import ChatRequest, read_chat_request

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
TALK = [{"role": "user", "content": "hello"}]


def request(**fields: Any) -> ChatRequest:
    return read_chat_request(msgspec.json.encode({"model": "m", "messages": TALK, **fields}))


def found(**fields: Any) -> Estimate:
    return asyncio.run(estimate(request(**fields), BoundCounter()))


def test_a_plain_request_is_bounded_and_may_be_shortened() -> None:
    plain = found()
    assert plain.input >= len("hello")
    assert plain == Estimate(plain.input, 1, shortens=True)


@pytest.mark.parametrize("fields", [{"n": 3}, {"n": None}, {}])
def test_every_choice_is_counted(fields: dict[str, Any]) -> None:
    assert found(**fields).choices == (fields.get("n") or 1)


def test_images_and_tools_cost_what_their_bound_says() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}
    assert found(messages=[{"role": "user", "content": [image]}]).input > 16_000
    assert found(tools=[TOOL]).input > found().input + len(msgspec.json.encode(TOOL))


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [TOOL]},
        {"tools": [TOOL], "tool_choice": "none"},
        {"functions": [{"name": "f", "parameters": SCHEMA}]},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
        {"structured_outputs": {"choice": ["yes", "no"]}},
    ],
)
def test_an_answer_of_a_form_is_never_shortened(fields: dict[str, Any]) -> None:
    assert not found(**fields).shortens


@pytest.mark.parametrize(
    "fields", [{"response_format": {"type": "text"}}, {"response_format": None}, {"structured_outputs": None}]
)
def test_free_text_may_be_shortened(fields: dict[str, Any]) -> None:
    assert found(**fields).shortens


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}, SCHEMA),
        ({"functions": [{"name": "f", "parameters": SCHEMA}]}, SCHEMA),
        ({"prediction": {"type": "content", "content": "once upon a time"}}, "once upon a time"),
        ({"chat_template_kwargs": {"documents": "é" * 100}}, "é" * 100),
    ],
)
def test_what_may_stand_in_the_prompt_beside_messages_is_bounded(fields: dict[str, Any], written: Any) -> None:
    assert beside(request()) == 0
    assert beside(request(**fields)) >= len(msgspec.json.encode(written))


def test_what_stands_beside_is_added() -> None:
    schema = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}
    assert found(**schema).input == found().input + beside(request(**schema))
    assert beside(request(**schema)) > BESIDE_FRAME
