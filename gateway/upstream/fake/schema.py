"""A value that a JSON schema accepts: always the same, and as small as the schema allows.

Covers types, enum, const, required, nested objects and arrays, bounds of numbers, strings and arrays, pattern, the common
formats, local `$ref`, allOf, anyOf and oneOf. Optional properties are filled too, unless that would not end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateway.upstream.fake.pattern import PatternError, sample

MAX_DEPTH = 32
OPTIONAL_DEPTH = 8
"""Where optional properties and elements stop, so that a schema that refers to itself ends."""

MAX_SIZE = 10_000

Schema = Mapping[str, Any] | bool

_formats = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "name@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class SchemaError(Exception):
    """No value is made for this schema; the message says why."""


def fill(schema: Schema) -> Any:
    """Return a value that `schema` accepts; raises `SchemaError`, also where it is no schema at all."""
    try:
        return _Filler(schema).value(schema, _Place())
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        # A client may send anything under "schema": words of the wrong type surface where they are used.
        raise SchemaError("not a JSON schema") from error


class _Place(NamedTuple):
    """Where a value stands: how deep, and as which variant, so that the elements of an array can differ."""

    depth: int = 0
    nth: int = 0

    def inside(self, element: int = 0) -> _Place:
        return _Place(self.depth + 1, self.nth + element)


class _Filler:
    """Fills one schema."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = MAX_SIZE
        self._made: dict[str, Callable[[Mapping[str, Any], _Place], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": lambda schema, place: _string(schema, place.nth),
            "integer": lambda schema, place: int(_number(schema, place.nth, whole=True)),
            "number": lambda schema, place: _number(schema, place.nth, whole=False),
            "boolean": lambda _schema, place: place.nth % 2 == 0,
            "null": lambda _schema, _place: None,
        }

    def value(self, schema: Any, place: _Place) -> Any:
        self._left -= 1
        if place.depth > MAX_DEPTH or self._left < 0:
            raise SchemaError("the schema is nested too deep or too large")
        if schema is True:
            return "any"
        if not isinstance(schema, dict):
            raise SchemaError("a schema that allows nothing, or is none")
        schema = self._resolved(schema, place.depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return _one_of(schema["enum"], place.nth)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                rest = {key: value for key, value in schema.items() if key != word}
                return self._any(schema[word], rest, place=place)
        return self._typed(schema, place)

    def _typed(self, schema: Mapping[str, Any], place: _Place) -> Any:
        kind = schema.get("type", _guess(schema))
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        make = self._made.get(kind) if isinstance(kind, str) else None
        if make is None:
            raise SchemaError("Unsupported type")
        return make(schema, place)

    def _resolved(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """Return the schema with its references followed and its allOf merged."""
        followed = 0
        while "$ref" in schema:
            followed += 1
            if followed + depth > MAX_DEPTH:
                raise SchemaError("references that lead too deep")
            rest = {word: value for word, value in schema.items() if word != "$ref"}
            schema = _merged(self._target(schema["$ref"]), rest)
        if "allOf" not in schema:
            return schema
        if depth > MAX_DEPTH:
            raise SchemaError("the schema is nested too deep")
        merged: Mapping[str, Any] = {word: value for word, value in schema.items() if word != "allOf"}
        for part in schema["allOf"]:
            merged = _merged(merged, self._resolved(part, depth + 1))
        return merged

    def _target(self, reference: Any) -> Mapping[str, Any]:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise SchemaError("only local references are followed")
        found: Any = self._root
        for step in reference.removeprefix("#").removeprefix("/").split("/") if reference != "#" else ():
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise SchemaError("a reference that leads nowhere")
        return found

    def _any(self, branches: Any, rest: Mapping[str, Any], *, place: _Place) -> Any:
        reason = SchemaError("alternatives of which none can be filled")
        for branch in branches:
            try:
                return self.value(_merged(rest, branch) if isinstance(branch, dict) else branch, place.inside())
            except SchemaError as error:
                reason = error
        raise reason

    def _object(self, schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        extra = schema.get("additionalProperties", True)
        made: dict[str, Any] = {}
        for name in [*properties, *(name for name in required if name not in properties)]:
            optional = name not in required
            if optional and place.depth >= OPTIONAL_DEPTH:
                continue
            try:
                made[name] = self.value(properties.get(name, extra), place.inside())
            except SchemaError:
                if not optional:
                    raise
        for number in range(_size(schema, "minProperties", 0) - len(made)):
            made[f"key{number}"] = self.value(extra, place.inside())
        return made

    def _array(self, schema: Mapping[str, Any], place: _Place) -> list[Any]:
        prefix = schema.get("prefixItems", [])
        items = schema.get("items", True)
        least, most = _size(schema, "minItems", 0), _size(schema, "maxItems", MAX_SIZE)
        if least > most:
            raise SchemaError("minItems is above maxItems")
        usual = 0 if place.depth >= OPTIONAL_DEPTH else len(prefix) or int("items" in schema and items is not False)
        schemas = [prefix[at] if at < len(prefix) else items for at in range(min(max(least, usual), most))]
        return [self.value(one, place.inside(at)) for at, one in enumerate(schemas)]


def _guess(schema: Mapping[str, Any]) -> str:
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    if "minimum" in schema or "maximum" in schema:
        return "integer"
    return "string"


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> Mapping[str, Any]:
    merged = {**first, **second}
    if "properties" in first and "properties" in second:
        merged["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        merged["required"] = [*first["required"], *second["required"]]
    return merged


def _one_of(values: Any, nth: int) -> Any:
    if not isinstance(values, list) or not values:
        raise SchemaError("an enum without values")
    return values[nth % len(values)]


def _size(schema: Mapping[str, Any], word: str, default: int) -> int:
    size = schema.get(word, default)
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MAX_SIZE:
        raise SchemaError(f"{word} is not a size up to {MAX_SIZE}")
    return size


def _string(schema: Mapping[str, Any], nth: int) -> str:
    if "pattern" in schema:
        try:
            return sample(schema["pattern"])
        except PatternError as error:
            raise SchemaError(str(error)) from error
    if schema.get("format") in _formats:
        return _formats[schema["format"]]
    least, most = _size(schema, "minLength", 0), _size(schema, "maxLength", MAX_SIZE)
    if least > most:
        raise SchemaError("minLength is above maxLength")
    made = "text" if nth == 0 else f"text{nth}"
    return made.ljust(least, "x")[:most] if nth == 0 else made.rjust(least, "x")[-most:] if most else ""


def _number(schema: Mapping[str, Any], nth: int, *, whole: bool) -> float:
    step = schema.get("multipleOf")
    least, above, most, below = (schema.get(word) for word in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"))
    for bound in (least, above, most, below, step):
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float)):
            raise SchemaError("a bound that is not a number")
    low = max((bound for bound in (least, above) if bound is not None), default=None)
    high = min((bound for bound in (most, below) if bound is not None), default=None)
    if not whole and step is None and low is not None and high is not None and low < high:
        return float(low + (high - low) / (nth + 2))
    step = step or 1
    if step <= 0 or (whole and step != int(step)):
        raise SchemaError("multipleOf is not above zero, or broken for an integer")
    first = None if low is None else math.floor(low / step) + 1 if low == above else math.ceil(low / step)
    last = None if high is None else math.ceil(high / step) - 1 if high == below else math.floor(high / step)
    return _between(first, last, nth=nth) * step


def _between(first: int | None, last: int | None, *, nth: int) -> int:
    """Return the n-th whole number from `first` to `last`, beginning again where there are fewer, and near 1 where it is free."""
    if first is None:
        return 1 + nth if last is None else min(last, 1) - nth
    if last is None:
        return first + nth
    if first > last:
        raise SchemaError("bounds that leave no number")
    return first + nth % (last - first + 1)
