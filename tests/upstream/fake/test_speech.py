"""What is said: echo, tools, schemas, refusals, within the limit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.upstream.fake.directive import parse
from gateway.upstream.fake.request import Refused, read
from gateway.upstream.fake.speech import Speaker, Speech
from tests.upstream.fake.asking import TIME, WEATHER, body_of

SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


def say(message: Any = "hello there", line: str = "", *, limit: int = 100, **fields: Any) -> tuple[Speech, ...]:
    request = read(body_of(message, **fields))
    return Speaker(request, parse(line), request.last_user, limit).choices()


def text(*arguments: Any, **fields: Any) -> str:
    return "".join(say(*arguments, **fields)[0].content)


def refused(*arguments: Any, **fields: Any) -> str | None:
    with pytest.raises(Refused) as caught:
        say(*arguments, **fields)
    (raw,) = caught.value.answer.parts
    assert isinstance(raw, bytes)
    error: dict[str, str | None] = msgspec.json.decode(raw)["error"]
    assert caught.value.answer.status == 400
    return error["param"]


def test_the_last_user_message_comes_back() -> None:
    (speech,) = say()
    assert speech == Speech(content=("echo:", " hello", " there"))
    assert speech.made == 3


def test_choices_differ() -> None:
    assert ["".join(speech.content) for speech in say("hi", n=3)] == ["echo: hi", "echo 2: hi", "echo 3: hi"]


def test_the_result_of_a_tool_comes_back() -> None:
    messages = [{"role": "user", "content": "call get_weather"}, {"role": "tool", "content": "rain", "tool_call_id": "1"}]
    assert text(messages, tools=[WEATHER]) == "echo: rain"


def test_a_limit_cuts_the_answer_and_says_so() -> None:
    (speech,) = say(limit=2)
    assert (speech.content, speech.finish) == (("echo:", " hello"), "length")
    assert say(limit=3)[0].finish == "stop"


def test_a_stop_string_ends_the_answer_and_is_named() -> None:
    (speech,) = say(stop=["there", "never"])
    assert ("".join(speech.content), speech.finish, speech.stop_reason) == ("echo: hello ", "stop", "there")
    assert say(stop="there", limit=1)[0].stop_reason is None


def test_directives_say_what_is_said() -> None:
    assert text("hi", 'text="so be it"') == "so be it"
    assert text("hi", "chunks=3") == "w1 w2 w3"
    assert say("hi", "finish=content_filter")[0].finish == "content_filter"


def test_reasoning_comes_first_and_counts_towards_the_limit() -> None:
    (speech,) = say("hi", 'reasoning="let me see" text="one two"', limit=4)
    assert (speech.reasoning, speech.content, speech.finish) == (("let", " me", " see"), ("one",), "length")
    assert speech.made == 4


def test_a_refusal_takes_the_place_of_content() -> None:
    (speech,) = say("hi", 'refusal="I will not"')
    assert (speech.refusal, speech.content, speech.finish) == (("I", " will", " not"), (), "stop")
    assert say("hi", 'refusal="I will not"', limit=1)[0].finish == "length"


@pytest.mark.parametrize(
    ("message", "line", "choice", "names"),
    [
        ("hi", "", "required", ["get_weather"]),
        ("hi", "", {"type": "function", "function": {"name": "get_time"}}, ["get_time"]),
        ("please call get_time now", "", None, ["get_time"]),
        ("call get_weather, call get_time", "", "auto", ["get_weather", "get_time"]),
        ("hi", "tool=get_time,get_weather", None, ["get_time", "get_weather"]),
    ],
)
def test_tools_are_called_when_forced_asked_for_or_directed(message: str, line: str, choice: Any, names: list[str]) -> None:
    (speech,) = say(message, line, tools=[WEATHER, TIME], tool_choice=choice)
    assert [call.name for call in speech.calls] == names
    assert speech.finish == "tool_calls"


@pytest.mark.parametrize(
    ("message", "line", "choice"),
    [("hi", "", None), ("hi", "", "auto"), ("call get_weather", "", "none"), ("hi", "text=no", "required")],
)
def test_tools_are_not_called_otherwise(message: str, line: str, choice: Any) -> None:
    (speech,) = say(message, line, tools=[WEATHER, TIME], tool_choice=choice)
    assert not speech.calls
    assert speech.content


def test_arguments_fill_the_schema_or_are_what_was_told() -> None:
    (speech,) = say(tools=[WEATHER], tool_choice="required")
    assert msgspec.json.decode("".join(speech.calls[0].pieces)) == {"city": "text", "days": 1}
    (told,) = say("hi", 'tool=get_weather arguments="{oops"', tools=[WEATHER])
    assert "".join(told.calls[0].pieces) == "{oops"


def test_ids_of_calls_differ_by_call_and_choice_and_never_by_run() -> None:
    def ids() -> list[str]:
        choices = say("hi", "tool=get_weather,get_time", tools=[WEATHER, TIME], n=2)
        return [call.id for speech in choices for call in speech.calls]

    assert len(set(ids())) == 4
    assert ids() == ids()


def test_a_limit_cuts_the_arguments_and_drops_the_calls_after_them() -> None:
    (speech,) = say("hi", "tool=get_weather,get_time", tools=[WEATHER, TIME], limit=2)
    assert [(call.name, len(call.pieces)) for call in speech.calls] == [("get_weather", 2)]
    assert speech.finish == "length"


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}},
        {"structured_outputs": {"json": SCHEMA}},
        {"structured_outputs": {"json": msgspec.json.encode(SCHEMA).decode()}},
    ],
)
def test_a_schema_is_filled(fields: dict[str, Any]) -> None:
    assert text(**fields) == '{"ok":true}'


def test_other_forms_are_followed() -> None:
    assert text(structured_outputs={"choice": ["red", "blue"]}) == "red"
    assert text(structured_outputs={"regex": r"My SSN is 078-05-1120\."}) == "My SSN is 078-05-1120."
    assert text(structured_outputs={"json_object": True}) == text(response_format={"type": "json_object"}) == '{"echo":"text"}'
    assert text(response_format={"type": "text"}) == "echo: hello there"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "zzz"}}}}, None),
        ({"structured_outputs": {}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "structured_outputs"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs"),
        ({"structured_outputs": {"grammar": "root ::= a"}}, "structured_outputs"),
        ({"structured_outputs": {"json_object": False}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "("}}, None),
        ({"structured_outputs": {"json": "{"}}, None),
        ({"tools": [WEATHER], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": TIME}, "tool_choice"),
        ({"tools": [{"function": {"name": "f", "parameters": {"type": 3}}}], "tool_choice": "required"}, None),
    ],
)
def test_what_cannot_be_followed_is_refused(fields: dict[str, Any], param: str | None) -> None:
    assert refused(**fields) == param


def test_a_directed_tool_that_was_not_given_is_refused() -> None:
    assert refused("hi", "tool=get_time", tools=[WEATHER]) == "tool_choice"
