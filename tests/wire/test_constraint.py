"""Tools, schemas and grammars: each is bounded alone and all together, and nothing odd reaches a grammar compiler."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.errors import InvalidRequest
from gateway.wire.chat import read_chat_request
from gateway.wire.limits import LIMITS
from gateway.wire.tool import FunctionTool
from tests.wire.hostile import encoded, raw


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(encoded(**fields))
    assert caught.value.code == "invalid_field"
    return caught.value


def nested(depth: int) -> Raw:
    return Raw(b'{"a":' * depth + b"1" + b"}" * depth)


def function(parameters: Any, name: str = "f") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def as_tool(schema: Any) -> dict[str, Any]:
    return {"tools": [function({}), function(schema)]}


def as_legacy(schema: Any) -> dict[str, Any]:
    return {"functions": [{"name": "f", "parameters": schema}]}


def as_format(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}}


def as_structured(schema: Any) -> dict[str, Any]:
    return {"structured_outputs": {"json": schema}}


SCHEMAS = [
    (as_tool, "tools[1].function.parameters"),
    (as_legacy, "functions[0].parameters"),
    (as_format, "response_format.json_schema.schema"),
    (as_structured, "structured_outputs.json"),
]


@pytest.mark.parametrize(("place", "param"), SCHEMAS)
def test_a_schema_is_bounded_in_size_depth_and_kind(place: Any, param: str) -> None:
    assert refused(**place({"a": "x" * LIMITS.schema_bytes})).param == param
    assert refused(**place(nested(LIMITS.schema_depth + 1))).param == param
    assert refused(**place([])).param == param
    assert refused(**place(1)).param == param


@pytest.mark.parametrize(("place", "param"), SCHEMAS)
def test_a_schema_at_its_bounds_is_taken(place: Any, param: str) -> None:
    assert param
    read_chat_request(encoded(**place(nested(LIMITS.schema_depth))))
    read_chat_request(encoded(**place({"a": "x" * (LIMITS.schema_bytes - 8)})))


@pytest.mark.parametrize("place", [as_tool, as_format])
def test_a_schema_may_be_null_where_vllm_takes_that(place: Any) -> None:
    read_chat_request(encoded(**place(None)))


def test_schemas_are_bounded_together() -> None:
    half = {"a": "x" * (LIMITS.schema_bytes // 2)}
    fitting = LIMITS.free_form_bytes // (LIMITS.schema_bytes // 2 + 8)
    read_chat_request(encoded(tools=[function(half)] * fitting))
    error = refused(tools=[function(half)] * fitting, functions=[{"name": "f", "parameters": half}])
    assert error.param == "functions[0].parameters"


def test_a_schema_stands_in_normal_form() -> None:
    body = raw(b'"tools":[{"type":"function","function":{"name":"f","parameters": {"a" : 1, "a": 2}}}]')
    request = read_chat_request(body)
    assert isinstance(request.tools, list)
    assert isinstance(request.tools[0], FunctionTool)
    assert request.tools[0].function.parameters == Raw(b'{"a":2}')


def test_a_custom_tools_grammar_is_bounded() -> None:
    def tool(definition: str) -> dict[str, Any]:
        grammar = {"type": "grammar", "grammar": {"definition": definition, "syntax": "lark"}}
        return {"type": "custom", "custom": {"name": "c", "format": grammar}}

    read_chat_request(encoded(tools=[tool("start: A"), {"type": "custom", "custom": {"name": "d"}}]))
    assert refused(tools=[tool("x" * (LIMITS.schema_bytes + 1))]).param == "tools[0].custom.format.grammar.definition"


@pytest.mark.parametrize("tools", [{}, "x", None, [1], [{}, []]])
def test_allowed_tools_are_an_array_of_objects(tools: Any) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools}}
    assert refused(tool_choice=choice).param == "tool_choice.allowed_tools.tools"


def test_allowed_tools_are_taken() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "name": "f"}]}}
    read_chat_request(encoded(tool_choice=choice))


CONSTRAINTS: dict[str, Any] = {
    "json": {"type": "object"},
    "regex": "a+",
    "choice": ["a", "b"],
    "grammar": "root ::= 'a'",
    "json_object": True,
    "structural_tag": '{"type":"structural_tag"}',
}


@pytest.mark.parametrize("kind", CONSTRAINTS)
def test_each_constraint_is_taken_alone(kind: str) -> None:
    body = encoded(structured_outputs={kind: CONSTRAINTS[kind]})
    assert msgspec.json.encode(read_chat_request(body).structured_outputs) == msgspec.json.encode({kind: CONSTRAINTS[kind]})


@pytest.mark.parametrize("first", CONSTRAINTS)
@pytest.mark.parametrize("second", CONSTRAINTS)
def test_no_two_constraints_are_taken_together(first: str, second: str) -> None:
    if first != second:
        both = {first: CONSTRAINTS[first], second: CONSTRAINTS[second]}
        assert refused(structured_outputs=both).param == "structured_outputs"


def test_no_constraint_is_none() -> None:
    assert refused(structured_outputs={}).param == "structured_outputs"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("json", "not JSON"),
        ("json", "[]"),
        ("json", '{"a":' * 17 + "1" + "}" * 17),
        ("json", '{"a":1e999}'),
        ("regex", "\u00e9" * 513),
        ("grammar", "x" * (LIMITS.schema_bytes + 1)),
        ("choice", ["x" * LIMITS.schema_bytes, "x"]),
        ("choice", []),
        ("json_object", False),
        ("structural_tag", "not JSON"),
        ("structural_tag", '{"a":' * 25 + "1" + "}" * 25),
    ],
)
def test_each_constraint_is_bounded(kind: str, value: Any) -> None:
    assert refused(structured_outputs={kind: value}).param == f"structured_outputs.{kind}"


def test_a_schema_given_as_text_is_passed_on_as_text() -> None:
    request = read_chat_request(encoded(structured_outputs={"json": '{"type": "object"}'}))
    assert msgspec.json.decode(msgspec.json.encode(request.structured_outputs)) == {"json": '{"type": "object"}'}


def test_a_regular_expression_of_a_kilobyte_is_taken() -> None:
    read_chat_request(encoded(structured_outputs={"regex": "a" * LIMITS.regex_bytes}))


@pytest.mark.parametrize("value", [[], "x", 1, nested(LIMITS.free_form_depth + 1)])
def test_template_arguments_are_an_object_of_bounded_depth(value: Any) -> None:
    assert refused(chat_template_kwargs=value).param == "chat_template_kwargs"


def test_template_arguments_may_be_null_and_deep() -> None:
    assert read_chat_request(encoded(chat_template_kwargs=None)).chat_template_kwargs == Raw(b"null")
    read_chat_request(encoded(chat_template_kwargs=nested(LIMITS.free_form_depth)))
