from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt.contract.violation import Shape, Violation, types_of

PLACE: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 9}, "zip": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 5},
        "code": {"type": "string", "pattern": "^[a-z]+$"},
        "day": {"type": "string", "format": "date"},
        "mail": {"type": "string", "pattern": "^a", "format": "email"},
        "word": {"type": ["string", "null"], "enum": ["a", "b", None]},
        "count": {"type": "integer", "minimum": 0, "maximum": 9, "multipleOf": 3},
        "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "deep": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 400, "uniqueItems": True},
        "places": {"type": "array", "items": PLACE},
        "free": {"type": "object", "minProperties": 1, "maxProperties": 2},
        "any": {"type": "array"},
    },
    "additionalProperties": False,
}
SHAPE = Shape(SCHEMA)


def _first(**variables: Any) -> Violation:
    assert not SHAPE.fits(variables)
    return next(SHAPE.violations(variables))


def test_what_fits_has_no_violation() -> None:
    variables: dict[str, Any] = {
        "text": "x" * 5,
        "code": "abc",
        "day": "2026-01-31",
        "mail": "a@b.de",
        "word": None,
        "count": 9,
        "share": 0.5,
        "deep": False,
        "tags": ["a", "b"],
        "places": [{"city": "Bonn", "zip": 1}, {"city": "Ulm"}],
        "free": {"x": [None, 1.5]},
        "any": [1, "a", None, {}],
    }
    assert SHAPE.fits(variables)
    assert list(SHAPE.violations(variables)) == []
    assert SHAPE.first("count", 3) is None


@pytest.mark.parametrize(
    ("name", "value", "kind", "must"),
    [
        ("text", None, "null", "must be a string"),
        ("text", 1, "type", "must be a string"),
        ("text", ["x"], "type", "must be a string"),
        ("text", "", "length", "must have at least 1 characters"),
        ("text", "😀" * 6, "length", "must have at most 5 characters"),
        ("code", "ABC", "other", "must match the pattern ^[a-z]+$"),
        ("day", "31.01.2026", "other", "must have the format date"),
        ("mail", "b", "other", "must have the format email and must match the pattern ^a"),
        ("word", 1, "type", "must be a string or null"),
        ("word", "c", "enum", 'must be one of "a", "b", null'),
        ("count", "3", "type", "must be an integer"),
        ("count", 3.0, "type", "must be an integer"),
        ("count", True, "type", "must be an integer"),
        ("count", -3, "other", "must be at least 0"),
        ("count", 12, "other", "must be at most 9"),
        ("count", 4, "other", "must be a multiple of 3"),
        ("count", 10**400, "other", "must be at most 9"),
        ("share", 0, "other", "must be more than 0"),
        ("share", 1.0, "other", "must be less than 1"),
        ("share", True, "type", "must be a number"),
        ("share", float("nan"), "type", "must be a number"),
        ("share", float("inf"), "type", "must be a number"),
        ("deep", 0, "type", "must be true or false"),
        ("deep", "true", "type", "must be true or false"),
        ("tags", "a", "type", "must be an array"),
        ("tags", {}, "type", "must be an array"),
        ("tags", [], "length", "must have at least 1 items"),
        ("tags", ["a"] * 401, "length", "must have at most 400 items"),
        ("tags", ["a", "b", "a"], "other", "must hold no item twice"),
        ("free", [], "type", "must be an object"),
        ("free", {}, "length", "must have at least 1 entries"),
        ("free", {"a": 1, "b": 1, "c": 1}, "length", "must have at most 2 entries"),
    ],
)
def test_what_does_not_fit_is_told_by_what_was_expected(name: str, value: Any, kind: str, must: str) -> None:
    assert _first(**{name: value}) == Violation((name,), kind, must)  # type: ignore[arg-type]
    assert SHAPE.first(name, value) == Violation((), kind, must)  # type: ignore[arg-type]


def test_a_violation_inside_is_led_to_by_declared_names_and_positions() -> None:
    assert _first(places=[{"city": "Bonn"}, {"zip": 1}]) == Violation(("places", 1, "city"), "missing", "is required")
    assert _first(places=[{"city": "Bonn"}, None]) == Violation(("places", 1), "null", "must be an object")
    assert _first(places=[{"city": "Ulm", "zip": 1.0}]) == Violation(("places", 0, "zip"), "type", "must be an integer")
    assert _first(places=[{"city": "x" * 10}]).path == ("places", 0, "city")
    assert _first(tags=["a", 1]).path == ("tags", 1)


def test_an_undeclared_name_is_never_shown() -> None:
    said = "is a name that is not declared; known: city, zip"
    assert _first(places=[{"city": "Ulm", "secret": 1}]) == Violation(("places", 0, "?"), "unknown", said)
    unknown = _first(secret=1, other=2)
    assert (unknown.path, unknown.kind) == (("?",), "unknown")
    assert "secret" not in unknown.must
    assert next(Shape({"type": "object", "properties": {}, "additionalProperties": False}).violations({"x": 1})).must == (
        "is a name that is not declared; there is none"
    )


def test_there_is_one_violation_for_each_name_in_the_order_of_their_declaration() -> None:
    found = list(SHAPE.violations({"zzz": 1, "share": 2, "yyy": 1, "text": "", "tags": [1, 2]}))
    assert [one.path for one in found] == [("text",), ("share",), ("tags", 0), ("?",)]


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_variables_must_be_an_object(value: Any) -> None:
    assert not SHAPE.fits(value)
    assert list(SHAPE.violations(value)) == [Violation((), "type", "must be an object")]


@pytest.mark.parametrize("place", [0, 1, 63, 64, 65, 100, 199, 200, 300, 350, 399])
def test_the_first_item_that_does_not_fit_is_found_wherever_it_is(place: int) -> None:
    items: list[Any] = [str(number) for number in range(400)]
    items[place] = 1
    items[-1] = 2
    assert _first(tags=items).path == ("tags", place)


def test_long_lists_of_values_are_cut() -> None:
    shape = Shape({"type": "object", "properties": {"a": {"type": "string", "enum": ["x" * 100, *map(str, range(20))]}}})
    found = shape.first("a", "no")
    assert found is not None
    assert found.must == f'must be one of "{"x" * 63}…, ' + ", ".join(f'"{number}"' for number in range(11)) + ", …"


def test_what_no_json_can_hold_does_not_fit() -> None:
    assert _first(places=[{1: 2, "city": "Ulm"}]).path == ("places", 0, "?")
    assert _first(code="\ud800") == Violation(("code",), "other", "must match the pattern ^[a-z]+$")
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert _first(free=deep).kind == "type"
    while deep:  # let it go bit by bit: the interpreter would go down with it
        deep = deep[0]


_HUGE: dict[str, Any] = {str(number): 1 for number in range(200_000)}


@pytest.mark.parametrize(
    "variables",
    [
        {"text": [1] * 500_000},
        {"text": "x" * 4_000_000},
        {"tags": [1] * 500_000},
        {"places": [{"city": "Ulm"}] * 100_000 + [{}]},
        {"places": [_HUGE]},
        {"places": [{"city": _HUGE}]},
        _HUGE,
    ],
    ids=["wrong type", "long text", "long array", "last item", "unknown names", "inner type", "unknown variables"],
)
def test_no_size_of_what_does_not_fit_holds_up_others(variables: dict[str, Any]) -> None:
    began = time.process_time()
    assert list(SHAPE.violations(variables))
    assert time.process_time() - began < 0.25  # a few milliseconds; the validator's own errors took seconds


def test_control_names_of_keywords_are_names_like_others() -> None:
    names = ("type", "default", "enum", "items", "properties", "required", "x-whole", "$ref", "integer")
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in names}, "additionalProperties": False}
    shape = Shape(schema)
    assert shape.fits(dict.fromkeys(names, 1))
    for name in names:
        assert not shape.fits({name: 1.0})
        assert [one.path for one in shape.violations({name: 1.0})] == [(name,)]


def test_the_types_of_a_schema_are_a_list() -> None:
    assert types_of({"type": "string"}) == ["string"]
    assert types_of({"type": ["string", "null"]}) == ["string", "null"]
    assert set(types_of({})) == {"string", "integer", "number", "boolean", "array", "object", "null"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 12) | st.floats(-1, 2) | st.sampled_from(["", "a", "b", "abcdef", "2026-01-31"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["city", "zip", "x"]), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "zzz"]), _JSON, max_size=4))
def test_there_is_a_violation_exactly_where_the_validator_refuses(variables: dict[str, Any]) -> None:
    found = list(SHAPE.violations(variables))
    assert SHAPE.fits(variables) == (found == [])
    for one in found:
        assert all(part in _declared() or isinstance(part, int) for part in one.path)


def _declared() -> set[str]:
    return {*SCHEMA["properties"], *PLACE["properties"], "?"}


@given(st.text().map(lambda text: f"§{text}§"))  # none of our own words begins so
def test_no_value_is_ever_repeated(secret: str) -> None:
    for name in SCHEMA["properties"]:
        for value in (secret, [secret], {secret: secret}, {"city": secret}, [{"city": secret}]):
            for one in SHAPE.violations({name: value, secret: value}):
                assert secret not in one.must
                assert secret not in map(str, one.path)
