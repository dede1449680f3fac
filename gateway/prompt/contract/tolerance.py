"""What a template sees of variables that do not fit while their contract is only watched: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.prompt.contract.violation import types_of

_EMPTY: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False}
_MOST_ITEMS = 1024
"""A longer list is passed on as it came: going through it would hold up others."""


def tolerated(schema: Mapping[str, Any], value: Any) -> Any:
    """Return a value that a template can work with: nothing unknown, nothing missing, no null where none is allowed.

    What is missing or null is the empty value of its kind; where there is a default it is left out, for others to fill in.
    A value of a wrong type or size stays as it came.
    """
    if value is None and "null" not in types_of(schema):
        return _empty(schema)
    if "properties" in schema and isinstance(value, dict):
        return _object(schema, value)
    if "items" in schema and isinstance(value, list) and len(value) <= _MOST_ITEMS:
        return [tolerated(schema["items"], one) for one in value]
    return value


def _object(schema: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    declared: Mapping[str, Mapping[str, Any]] = schema["properties"]
    found = {} if schema.get("additionalProperties") is False else dict(value)
    for name, part in declared.items():
        if name in value:
            inner = tolerated(part, value[name])
            if not ("default" in part and value[name] is None and inner is not None):
                found[name] = inner
        elif name in schema.get("required", ()):
            found[name] = _empty(part)
    return found


def _empty(schema: Mapping[str, Any]) -> Any:
    kind = types_of(schema)[0]
    if kind == "array":
        return []
    if kind == "object":
        return _object(schema, {}) if "properties" in schema else {}
    return _EMPTY[kind]
