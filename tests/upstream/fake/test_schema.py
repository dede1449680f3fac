"""What is made for a schema is accepted by an independent validator, or the schema is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.fake.schema import SchemaError, fill

jsonschema = pytest.importorskip("jsonschema")

SCHEMAS: list[Any] = [
    True,
    {},
    {"type": "string"},
    {"type": "string", "minLength": 9, "maxLength": 9},
    {"type": "string", "maxLength": 2},
    {"type": "string", "maxLength": 0},
    {"type": "string", "pattern": "^[A-Z]{3}-\\d+$"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "unknown"},
    {"type": "integer"},
    {"type": "integer", "minimum": 5},
    {"type": "integer", "exclusiveMinimum": 5},
    {"type": "integer", "maximum": -5},
    {"type": "integer", "exclusiveMaximum": 0},
    {"type": "integer", "exclusiveMaximum": 1, "minimum": 0},
    {"type": "integer", "minimum": 7, "multipleOf": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "number", "minimum": 0.5, "multipleOf": 0.25},
    {"type": "number", "minimum": 3, "maximum": 3},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["null", "string"]},
    {"type": ["null"]},
    {"const": {"a": [1]}},
    {"enum": ["yes", "no"]},
    {"type": "array"},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "items": {"type": "integer", "maximum": 3}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"type": "string", "minLength": 8}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "uniqueItems": True},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"type": "string"}, "maxItems": 0},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}, "minItems": 3},
    {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
    {"items": {"type": "integer"}},
    {"minimum": 4},
    {
        "type": "object",
        "properties": {
            "label": {"enum": ["yes", "no"]},
            "score": {"type": "integer", "minimum": 0, "maximum": 9},
            "nested": {"type": "object", "properties": {"x": {"type": "array", "items": {"type": "string"}}}, "required": ["x"]},
        },
        "required": ["label", "score", "nested"],
        "additionalProperties": False,
    },
    {"type": "object", "required": ["b"], "additionalProperties": {"type": "integer"}},
    {"type": "object", "minProperties": 2},
    {"type": "object", "properties": {"never": False, "a": {"type": "integer"}}, "required": ["a"]},
    {"$ref": "#/$defs/a~1b~0c", "$defs": {"a/b~c": {"type": "integer"}}},
    {"$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}, "$ref": "#/$defs/node"},
    {"type": "object", "properties": {"self": {"$ref": "#"}}},
    {
        "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
        "allOf": [{"$ref": "#/$defs/tree"}],
    },
    {"anyOf": [{"type": "string", "pattern": "(?=x)"}, {"type": "integer"}]},
    {"oneOf": [False, {"type": "integer"}]},
    {"type": "object", "properties": {"a": {"const": 1}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
    },
]


def holds(schema: Any, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_what_is_made_is_accepted_and_always_the_same(schema: Any) -> None:
    made = fill(schema)
    assert holds(schema, made), made
    assert fill(schema) == made


def test_control_the_validator_refuses_what_does_not_fit() -> None:
    assert not holds({"type": "integer", "minimum": 5}, 4)


numbers = st.integers(-50, 50)
sizes = st.integers(0, 9)
leaves = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(lambda low, size: {"type": "integer", "minimum": low, "maximum": low + size}, numbers, st.integers(0, 9)),
    st.builds(lambda high: {"type": "integer", "exclusiveMaximum": high}, numbers),
    st.builds(lambda low, step: {"type": "integer", "exclusiveMinimum": low, "multipleOf": step}, numbers, st.integers(1, 7)),
    st.builds(lambda low, size: {"type": "number", "minimum": low, "maximum": low + size}, numbers, st.integers(0, 9)),
    st.builds(
        lambda low, size: {"type": "string", "minLength": low, "maxLength": low + size}, st.integers(0, 9), st.integers(0, 9)
    ),
    st.builds(lambda values: {"enum": values}, st.lists(st.text(), min_size=1, max_size=3)),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 3)),
        st.builds(
            lambda properties: {"type": "object", "properties": properties, "required": sorted(properties)},
            st.dictionaries(st.text(max_size=3), inner, max_size=3),
        ),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=6,
)


@given(schemas)
def test_what_is_made_for_any_usual_schema_is_accepted(schema: Any) -> None:
    assert holds(schema, fill(schema))


def nested(word: str, depth: int) -> Any:
    schema: Any = {"type": "integer"}
    for _ in range(depth):
        schema = {word: [schema]}
    return schema


HOSTILE: list[Any] = [
    nested("allOf", 100),
    nested("anyOf", 100),
    False,
    None,
    3,
    {"type": "zzz"},
    {"type": 3},
    {"enum": []},
    {"enum": "ab"},
    {"$ref": "#/nowhere"},
    {"$ref": "http://example.com/schema"},
    {"$ref": 3},
    {"$ref": "#"},
    {"$ref": "#/a", "a": {"$ref": "#/a"}},
    {"allOf": [{"$ref": "#"}]},
    {"anyOf": []},
    {"anyOf": [False]},
    {"allOf": [3]},
    {"type": "object", "properties": ["a"]},
    {"type": "object", "properties": {"a": 3}, "required": ["a"]},
    {"type": "object", "required": ["a"], "additionalProperties": False},
    {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    {"type": "array", "minItems": 2, "maxItems": 1},
    {"type": "array", "minItems": 10**9},
    {"type": "array", "minItems": 100, "items": {"type": "array", "minItems": 1000, "items": {}}},
    {"type": "string", "minLength": 3, "maxLength": 2},
    {"type": "string", "minLength": -1},
    {"type": "string", "minLength": True},
    {"type": "string", "pattern": "("},
    {"type": "string", "pattern": 3},
    {"type": "integer", "minimum": "3"},
    {"type": "integer", "minimum": 3, "maximum": 2},
    {"type": "integer", "multipleOf": 0.5},
    {"type": "integer", "multipleOf": -1},
    {"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 1},
    {"type": "integer", "minimum": 1e308, "multipleOf": 1e-300},
]


@pytest.mark.parametrize("schema", HOSTILE, ids=str)
def test_what_cannot_be_filled_is_refused(schema: Any) -> None:
    with pytest.raises(SchemaError):
        fill(schema)


def test_a_schema_that_would_grow_without_end_is_cut_short() -> None:
    wide = {"type": "object", "properties": {str(number): {"$ref": "#"} for number in range(30)}}
    assert len(msgspec.json.encode(fill(wide))) < 1_000_000


words = st.sampled_from(
    ["type", "properties", "items", "required", "enum", "const", "$ref", "anyOf", "allOf", "minimum", "minItems", "pattern", "a"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(words, json_values, max_size=5))
def test_anything_at_all_gives_a_value_or_a_reason(schema: dict[str, Any]) -> None:
    with suppress(SchemaError):
        fill(schema)
