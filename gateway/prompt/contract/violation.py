"""What of a value does not fit a schema: the first thing in a fixed order, where it stands and what was expected.

The validator itself is asked only whether a value fits: its own errors copy the value that they are about, which takes a tenth
of a second for what a client may send. So the place is found from outside, part by part.

Invariants
- A violation holds declared names, positions and the schema's own words, never a value nor a name that is not declared.
- Order: the type, then the limits, then what is inside: properties as they are declared, then unknown ones; items by position.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import jsonschema_rs
import msgspec

from gateway.prompt.file.limits import LIMITS

DriftKind = Literal["unknown", "missing", "null", "type", "enum", "length", "other"]

UNKNOWN: Final = "?"
"""Stands for a name that is not declared."""

_FEW = 64
"""So many items are looked at one by one."""
_LISTED = 12
_SHOWN_CHARS = 64
_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Violation:
    """`path` leads to what does not fit, `must` is a predicate of it, such as "must be a string"."""

    path: tuple[str | int, ...]
    kind: DriftKind
    must: str


class _Whole:
    """The keyword `x-whole`: 1.0 is an integer to JSON Schema, and a float to whoever reads it next."""

    def __init__(self, parent: dict[str, Any], value: Any, path: list[str | int]) -> None:
        """Take what the validator hands to a keyword; there is nothing to keep."""

    def validate(self, instance: Any) -> None:
        """Raise for a float."""
        if isinstance(instance, float):
            raise ValueError("a float")


@dataclass(frozen=True, slots=True)
class _Spot:
    """A part of a schema, where it stands in it, and the way to the value that is held to it."""

    schema: Mapping[str, Any]
    at: str
    path: tuple[str | int, ...] = ()

    def property(self, name: str) -> _Spot:
        return _Spot(self.schema["properties"][name], f"{self.at}/properties/{name}", (*self.path, name))

    def item(self, place: int) -> _Spot:
        return _Spot(self.schema["items"], f"{self.at}/items", (*self.path, place))


class Shape:
    """A schema of a prompt's inputs, compiled as a whole and in its parts."""

    __slots__ = ("_parts", "_root", "_schema", "_spans")

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._parts = _compiled(schema)
        self._root = self._parts["#"].is_valid
        self._spans: dict[str, jsonschema_rs.Validator] = {}

    def fits(self, value: Any) -> bool:
        """Tell whether a value fits the whole schema."""
        try:
            return self._root(value)
        except ValueError:  # no JSON: a lone surrogate, or deeper than the validator goes
            return False

    def violations(self, variables: Any) -> Iterator[Violation]:
        """Yield the first violation of each property, as they are declared, then at most one for all unknown ones."""
        if isinstance(variables, dict):
            yield from self._in_properties(_Spot(self._schema, "#"), variables)
        else:
            yield Violation((), "type", "must be an object")

    def first(self, name: str, value: Any) -> Violation | None:
        """Return the first violation of one property's value, with the path inside the value; None where it fits."""
        return self._first(_Spot(self._schema["properties"][name], f"#/properties/{name}"), value)

    def _first(self, spot: _Spot, value: Any) -> Violation | None:
        if _is_valid(self._parts[spot.at], value):
            return None
        return _own(spot, value) or self._inside(spot, value) or Violation(spot.path, "other", _rest(spot.schema))

    def _inside(self, spot: _Spot, value: Any) -> Violation | None:
        if "properties" in spot.schema:
            return next(self._in_properties(spot, value), None)
        if "items" in spot.schema:
            return self._in_items(spot, value)
        return None

    def _in_properties(self, spot: _Spot, value: dict[str, Any]) -> Iterator[Violation]:
        declared = spot.schema["properties"]
        for name in declared:
            if name in value:
                found = self._first(spot.property(name), value[name])
                if found is not None:
                    yield found
            elif name in spot.schema.get("required", ()):
                yield Violation((*spot.path, name), "missing", "is required")
        if spot.schema.get("additionalProperties") is False and any(name not in declared for name in value):
            known = f"known: {listed(declared, quoted=False)}" if declared else "there is none"
            yield Violation((*spot.path, UNKNOWN), "unknown", f"is a name that is not declared; {known}")

    def _in_items(self, spot: _Spot, value: list[Any]) -> Violation | None:
        """Return the violation of the first item that does not fit, found by halves: one by one would take too long."""
        low, high = 0, len(value)
        while high - low > _FEW:
            middle = (low + high) // 2
            if _is_valid(self._span(spot), value[low:middle]):
                low = middle
            else:
                high = middle
        found = (self._first(spot.item(place), value[place]) for place in range(low, high))
        return next((one for one in found if one is not None), None)

    def _span(self, spot: _Spot) -> jsonschema_rs.Validator:
        """Return what tells whether some of an array's items fit, however many they are."""
        span = self._spans.get(spot.at)
        if span is None:
            span = self._spans[spot.at] = _compiled({"type": "array", "items": spot.schema["items"]})["#"]
        return span


def _is_valid(validator: jsonschema_rs.Validator, value: Any) -> bool:
    try:
        return validator.is_valid(value)
    except ValueError:  # as in `Shape.fits`
        return False


def _own(spot: _Spot, value: Any) -> Violation | None:
    """Return what is wrong with a value itself: its type, or its size."""
    schema = spot.schema
    types = types_of(schema)
    if not any(_IS[kind](value) for kind in types):
        words = " or ".join(_WORDS[kind] for kind in types)
        return Violation(spot.path, "null" if value is None else "type", f"must be {words}")
    if "enum" in schema and value not in schema["enum"]:
        return Violation(spot.path, "enum", f"must be one of {listed(schema['enum'])}")
    for keyword, (breaks, kind, must) in _LIMITS.items():
        if keyword in schema and breaks(value, schema[keyword]):
            return Violation(spot.path, kind, must.format(schema[keyword]))
    return None


def types_of(schema: Mapping[str, Any]) -> list[str]:
    """Return the types that a schema of ours names; an item of any kind has all of them."""
    types = schema.get("type", list(_WORDS))
    return [types] if isinstance(types, str) else types


def _compiled(schema: Mapping[str, Any]) -> jsonschema_rs.ValidatorMap:
    return jsonschema_rs.validator_map_for(
        _exact(schema),
        validate_formats=True,
        ignore_unknown_formats=False,
        pattern_options=regex_options(),
        keywords={"x-whole": _Whole},
        offline=True,
    )


def regex_options() -> jsonschema_rs.RegexOptions:
    """Return what makes a pattern take time in proportion to the text, and memory within `FileLimits`."""
    return jsonschema_rs.RegexOptions(size_limit=LIMITS.compiled_bytes)


def _exact(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without its annotations, under which no float is an integer."""
    exact = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
    if "type" in schema and "integer" in types_of(schema):
        exact["x-whole"] = True
    if "properties" in schema:
        exact["properties"] = {name: _exact(part) for name, part in schema["properties"].items()}
    if "items" in schema:
        exact["items"] = _exact(schema["items"])
    return exact


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_ANNOTATIONS = frozenset({"description", "default", "examples", "x-contract"})
_IS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}

_Breaks = Callable[[Any, Any], bool]


def _shorter(value: Any, limit: int) -> bool:
    return len(value) < limit


def _longer(value: Any, limit: int) -> bool:
    return len(value) > limit


_LIMITS: Mapping[str, tuple[_Breaks, DriftKind, str]] = {
    "minLength": (_shorter, "length", "must have at least {} characters"),
    "maxLength": (_longer, "length", "must have at most {} characters"),
    "minItems": (_shorter, "length", "must have at least {} items"),
    "maxItems": (_longer, "length", "must have at most {} items"),
    "minProperties": (_shorter, "length", "must have at least {} entries"),
    "maxProperties": (_longer, "length", "must have at most {} entries"),
    "minimum": (operator.lt, "other", "must be at least {}"),
    "maximum": (operator.gt, "other", "must be at most {}"),
    "exclusiveMinimum": (operator.le, "other", "must be more than {}"),
    "exclusiveMaximum": (operator.ge, "other", "must be less than {}"),
}
"""What breaks a limit, what kind of drift that is, what to say. What else there is says `_rest`."""


def _rest(schema: Mapping[str, Any]) -> str:
    """Return what a value must be that has the right type and size."""
    rules = {
        "multipleOf": "must be a multiple of {}",
        "format": "must have the format {}",
        "pattern": "must match the pattern {}",
        "uniqueItems": "must hold no item twice",
    }
    said = [must.format(schema[keyword]) for keyword, must in rules.items() if schema.get(keyword)]
    return " and ".join(said) or "must be plain JSON, not nested too deeply"


def listed(values: Iterable[Any], *, quoted: bool = True) -> str:
    """Return declared values or names for people to read; long lists and texts are cut."""
    few = list(itertools.islice(values, _LISTED + 1))
    shown = [_encode(one).decode() if quoted else str(one) for one in few[:_LISTED]]
    cut = [text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…" for text in shown]
    return ", ".join(cut) + (", …" if len(few) > _LISTED else "")
