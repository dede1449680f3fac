"""JSON Schema (2020-12) of a prompt's properties: of its inputs, its answer, its tools' parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from gateway.prompt.file.frontmatter import FrontMatter, Property
from gateway.wire.option import JsonSchema, SchemaAnswer

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES = {
    "string": "string",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
    "thread": "array",
}
_MESSAGE = {
    "type": "object",
    "properties": {"role": {"type": "string", "enum": ["user", "assistant", "tool"]}},
    "required": ["role"],
}
"""What the contract says of a message in a thread; the rest is for the renderer, which reads it as a message."""

_MOST_NAME = 64
_encode = msgspec.json.Encoder().encode


def input_schema(front: FrontMatter) -> dict[str, Any]:
    """Return what the variables of a prompt must be, with the contract's number under `x-contract`."""
    return {
        "$schema": DIALECT,
        "x-contract": front.contract,
        "type": "object",
        "properties": {one.name: _input(one, front.limits.get(one.name, {})) for one in front.inputs},
        **_required(one.name for one in front.inputs if one.required),
        "additionalProperties": False,
    }


def parameter_schema(properties: Iterable[Property], *, strict: bool) -> dict[str, Any]:
    """Return what the arguments of a tool must be; see `answer_schema` for `strict`."""
    return _object(properties, strict=strict)


def answer_schema(properties: Iterable[Property]) -> dict[str, Any]:
    """Return what the answer must be, strictly: every property is required, one that may be absent may be null instead."""
    return _object(properties, strict=True)


def answer_format(properties: Iterable[Property], *, name: str) -> SchemaAnswer:
    """Return the `response_format` of a chat request; `name` is cut to what OpenAI takes."""
    shown = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "_" for letter in name)
    return SchemaAnswer(JsonSchema(name=shown[:_MOST_NAME], schema=Raw(_encode(answer_schema(properties))), strict=True))


def _input(one: Property, limits: Mapping[str, Any]) -> dict[str, Any]:
    limits = dict(limits)
    nullable = limits.pop("nullable", False)
    schema = _value(one, nullable=nullable)
    if one.default is not UNSET:
        schema["default"] = one.default
    if one.example is not UNSET:
        schema["examples"] = [one.example]
    inner = limits.pop("properties", {})
    if one.kind == "thread":
        schema["items"] = _MESSAGE
    if one.items is not None:
        schema["items"] = _input(one.items, limits.pop("items", {}))
    if one.properties is not None:
        schema["properties"] = {part.name: _input(part, inner.get(part.name, {})) for part in one.properties}
        schema |= _required(part.name for part in one.properties if part.required)
        schema["additionalProperties"] = False
    return schema | limits


def _required(names: Iterable[str]) -> dict[str, list[str]]:
    found = list(names)
    return {"required": found} if found else {}


def _object(properties: Iterable[Property], *, strict: bool) -> dict[str, Any]:
    parts = list(properties)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {part.name: _part(part, strict=strict) for part in parts},
        **_required(part.name for part in parts if strict or part.required),
    }
    if strict:
        schema["additionalProperties"] = False
    return schema


def _part(one: Property, *, strict: bool) -> dict[str, Any]:
    schema = _value(one, nullable=strict and bool(one.name) and not one.required)
    if one.default is not UNSET and not strict:
        schema["default"] = one.default
    if one.items is not None:
        schema["items"] = _part(one.items, strict=strict)
    if one.properties is not None:
        schema |= {key: value for key, value in _object(one.properties, strict=strict).items() if key != "type"}
    return schema


def _value(one: Property, *, nullable: bool) -> dict[str, Any]:
    kind = _TYPES[one.kind]
    schema: dict[str, Any] = {"type": [kind, "null"] if nullable else kind}
    if one.description:
        schema["description"] = one.description
    if one.values:
        schema["enum"] = [*one.values, None] if nullable else list(one.values)
    return schema
