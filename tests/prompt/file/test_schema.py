from __future__ import annotations

import msgspec
import pytest

from gateway.prompt.file.frontmatter import Property
from gateway.prompt.file.schema import answer_format, answer_schema, input_schema, parameter_schema
from tests.prompt.file.front import front

TEXT = """
metadata:
  gateway:
    contract: 3
    limits:
      text: {maxLength: 80}
      language: {nullable: true}
      documents: {maxItems: 8, items: {properties: {title: {maxLength: 20}, page: {nullable: true}}}}
inputs:
  - {name: text, kind: string, description: What came in, example: Help!}
  - {name: language, kind: string, enumValues: [en, de], default: en}
  - {name: share, kind: float, required: false}
  - name: documents
    kind: array
    items: {kind: object, properties: [{name: title, kind: string}, {name: page, kind: integer, required: false}]}
  - {name: any, kind: array}
  - {name: history, kind: thread}
"""


def test_inputs_make_a_closed_object_with_the_contracts_number() -> None:
    schema = input_schema(front(TEXT))
    assert schema == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-contract": 3,
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "What came in", "examples": ["Help!"], "maxLength": 80},
            "language": {"type": ["string", "null"], "enum": ["en", "de", None], "default": "en"},
            "share": {"type": "number"},
            "documents": {
                "type": "array",
                "maxItems": 8,
                "items": {
                    "type": "object",
                    "properties": {"title": {"type": "string", "maxLength": 20}, "page": {"type": ["integer", "null"]}},
                    "required": ["title"],
                    "additionalProperties": False,
                },
            },
            "any": {"type": "array"},
            "history": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"role": {"type": "string", "enum": ["user", "assistant", "tool"]}},
                    "required": ["role"],
                },
            },
        },
        "required": ["text", "documents", "any", "history"],
        "additionalProperties": False,
    }


def test_no_inputs_take_nothing() -> None:
    schema = input_schema(front("{}"))
    assert (schema["properties"], schema["additionalProperties"], "required" in schema) == ({}, False, False)


def test_an_answers_schema_is_strict_all_the_way_down() -> None:
    style = Property("style", "object", properties=(Property("color", "string"), Property("border", "string", required=False)))
    kinds = Property("kinds", "array", required=False, items=Property("", "string", values=("a", "b")))
    assert answer_schema((style, kinds, Property("grade", "integer", required=False, values=(1, 2)))) == {
        "type": "object",
        "properties": {
            "style": {
                "type": "object",
                "properties": {"color": {"type": "string"}, "border": {"type": ["string", "null"]}},
                "required": ["color", "border"],
                "additionalProperties": False,
            },
            "kinds": {"type": ["array", "null"], "items": {"type": "string", "enum": ["a", "b"]}},
            "grade": {"type": ["integer", "null"], "enum": [1, 2, None]},
        },
        "required": ["style", "kinds", "grade"],
        "additionalProperties": False,
    }


def test_parameters_are_open_unless_they_are_strict() -> None:
    given = (Property("city", "string", description="Where"), Property("unit", "string", required=False, default="c"))
    assert parameter_schema(given, strict=False) == {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Where"}, "unit": {"type": "string", "default": "c"}},
        "required": ["city"],
    }
    assert parameter_schema(given, strict=True) == {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Where"}, "unit": {"type": ["string", "null"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    }
    assert parameter_schema((), strict=False) == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("name", "shown"), [("triage", "triage"), ("support/triage", "support_triage"), ("größe", "gr__e"), ("a" * 70, "a" * 64)]
)
def test_the_answers_format_has_a_name_that_openai_takes(name: str, shown: str) -> None:
    given = (Property("city", "string"),)
    assert msgspec.json.decode(msgspec.json.encode(answer_format(given, name=name))) == {
        "type": "json_schema",
        "json_schema": {"name": shown, "strict": True, "schema": answer_schema(given)},
    }
