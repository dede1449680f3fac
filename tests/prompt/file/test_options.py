from __future__ import annotations

import pytest
from msgspec import Raw

from gateway.prompt.file.options import NAMES, SETTABLE
from gateway.wire.chat import ChatRequest
from gateway.wire.option import JsonAnswer, StructuredOutputs
from tests.prompt.file.front import front, problems


def test_every_option_of_the_format_is_a_field_of_our_request() -> None:
    options = """{temperature: 0.5, topP: 1, topK: 40, seed: 42, maxOutputTokens: 100, stopSequences: [END],
      frequencyPenalty: 0.1, presencePenalty: -2, allowMultipleToolCalls: false}"""
    assert front(f"model: {{options: {options}}}").options == {
        "temperature": 0.5,
        "top_p": 1,
        "top_k": 40,
        "seed": 42,
        "max_completion_tokens": 100,
        "stop": ["END"],
        "frequency_penalty": 0.1,
        "presence_penalty": -2,
        "parallel_tool_calls": False,
    }
    assert set(NAMES.values()) <= set(SETTABLE) <= set(ChatRequest.__struct_encode_fields__)


def test_other_fields_stand_under_additional_properties_as_the_wire_has_them() -> None:
    more = "{min_p: 0.1, response_format: {type: json_object}, chat_template_kwargs: {thinking: true}, stop: END}"
    found = front(f"model: {{options: {{additionalProperties: {more}}}}}").options
    assert found == {
        "min_p": 0.1,
        "response_format": JsonAnswer(),
        "chat_template_kwargs": Raw(b'{"thinking":true}'),
        "stop": "END",
    }
    found = front("model: {options: {additionalProperties: {structured_outputs: {choice: [a, b]}}}}").options
    assert found == {"structured_outputs": StructuredOutputs(choice=["a", "b"])}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{temperature: 3}", "temperature is refused: temperature must be 0 to 2."),
        ("{temperature: '0'}", "temperature is refused: temperature must be a number or null."),
        ("{temperature: true}", "temperature is refused: temperature must be a number or null."),
        ("{temperature: }", "temperature is empty: give it a value or leave it out"),
        ("{maxOutputTokens: 0}", "maxOutputTokens is refused: max_completion_tokens must be 1 to 2147483647."),
        ("{seed: 1.0}", "seed is refused: seed must be an integer or null."),
        ("{topK: 1.5}", "topK is refused: top_k must be an integer or null."),
        ("{stopSequences: [1]}", "stopSequences is refused: stop[0] must be a string."),
        ("{top_p: 1}", 'top_p is no option: did you mean "topP"?'),
        ("{max_tokens: 1}", "max_tokens is no option of Prompty v2: write maxOutputTokens"),
        ("{stop: x}", "stop is no option of Prompty v2: write stopSequences"),
        (
            "{additionalProperties: {temprature: 1}}",
            'additionalProperties.temprature is no field that a prompt can set: did you mean "temperature"?',
        ),
        (
            "{additionalProperties: {priority: 1}}",
            "additionalProperties.priority is no field that a prompt can set: known: allowed_token_ids, audio, ",
        ),
        ("{additionalProperties: {model: x}}", "additionalProperties.model is the route: write it as model.id"),
        (
            "{additionalProperties: {stream: true}}",
            "additionalProperties.stream belongs to the caller: it is not for a prompt to set",
        ),
        ("{additionalProperties: {user: x}}", "additionalProperties.user belongs to the caller: it is not for a prompt to set"),
        ("{additionalProperties: {prompt: {}}}", "additionalProperties.prompt names a prompt: one cannot call another"),
        (
            "{additionalProperties: {max_tokens: 5}}",
            "additionalProperties.max_tokens is written as maxOutputTokens, beside additionalProperties",
        ),
        (
            "{temperature: 1, additionalProperties: {temperature: 1}}",
            "additionalProperties.temperature is set beside additionalProperties already",
        ),
        (
            "{additionalProperties: {structured_outputs: {choice: [a], regex: b}}}",
            "additionalProperties.structured_outputs is refused: structured_outputs must have exactly one of",
        ),
        (
            "{additionalProperties: {logit_bias: {a: 101}}}",
            "additionalProperties.logit_bias is refused: each value of logit_bias must be -100 to 100.",
        ),
        ("3", "must be a mapping of keys to values"),
    ],
)
def test_what_the_wire_would_refuse_is_told_at_load(options: str, said: str) -> None:
    found = problems(f"model:\n  options: {options}")
    assert len(found) == 1
    assert found[0].startswith(f"3: model.options.{said}" if said[:4] != "must" else f"3: model.options {said}")


def test_every_wrong_option_is_told() -> None:
    assert problems("model:\n  options:\n    temperature: 3\n    topP: 2\n    seed: x") == [
        "4: model.options.temperature is refused: temperature must be 0 to 2.",
        "5: model.options.topP is refused: top_p must be 0 to 1.",
        "6: model.options.seed is refused: seed must be an integer or null.",
    ]
