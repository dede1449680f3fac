from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt.contract.tolerance import tolerated

PLACE: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["city", "zip"],
    "additionalProperties": False,
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "language": {"type": "string", "default": "en"},
        "note": {"type": ["string", "null"]},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "deep": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "any": {"type": "array"},
        "place": PLACE,
        "places": {"type": "array", "items": PLACE},
        "free": {"type": "object"},
        "later": {"type": "string"},
    },
    "required": ["text", "note", "count", "share", "deep", "tags", "any", "place", "places", "free"],
    "additionalProperties": False,
}


def test_what_is_missing_is_the_empty_value_of_its_kind() -> None:
    assert tolerated(SCHEMA, {}) == {
        "text": "",
        "note": "",
        "count": 0,
        "share": 0,
        "deep": False,
        "tags": [],
        "any": [],
        "place": {"city": "", "zip": 0},
        "places": [],
        "free": {},
    }


def test_what_is_null_and_may_not_be_is_as_if_it_were_missing() -> None:
    found = tolerated(SCHEMA, dict.fromkeys(SCHEMA["properties"]))
    assert "language" not in found  # its default is filled in by others
    assert found["note"] is None
    assert (found["text"], found["count"], found["later"], found["place"]) == ("", 0, "", {"city": "", "zip": 0})


def test_what_is_unknown_is_dropped_also_inside() -> None:
    found = tolerated(SCHEMA, {"zzz": 1, "place": {"city": "Ulm", "x": 1}, "places": [{"x": 1}, {"zip": 2, "city": None}]})
    assert "zzz" not in found
    assert found["place"] == {"city": "Ulm", "zip": 0}
    assert found["places"] == [{"city": "", "zip": 0}, {"city": "", "zip": 2}]


@pytest.mark.parametrize(
    ("name", "value"), [("text", 1), ("count", "3"), ("tags", "a"), ("place", [1]), ("places", "x"), ("free", 1)]
)
def test_a_value_of_a_wrong_type_stays_as_it_came(name: str, value: Any) -> None:
    assert tolerated(SCHEMA, {name: value})[name] == value


def test_an_object_that_may_hold_anything_else_keeps_it() -> None:
    message = {"type": "object", "properties": {"role": {"type": "string"}}, "required": ["role"]}
    assert tolerated(message, {"content": "x"}) == {"content": "x", "role": ""}


def test_a_long_list_is_passed_on_as_it_came() -> None:
    assert tolerated(SCHEMA, {"tags": [None] * 1024})["tags"] == [""] * 1024
    assert tolerated(SCHEMA, {"tags": [None] * 1025})["tags"] == [None] * 1025


def test_what_is_given_is_not_changed() -> None:
    given: dict[str, Any] = {"place": {"x": 1}, "tags": [None]}
    tolerated(SCHEMA, given)
    assert given == {"place": {"x": 1}, "tags": [None]}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["city", "zip", "x"]), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "zzz"]), _JSON))
def test_a_template_finds_everything_that_the_contract_promises_it(variables: dict[str, Any]) -> None:
    found = tolerated(SCHEMA, variables)
    assert set(SCHEMA["required"]) <= set(found) <= set(SCHEMA["properties"])
    if isinstance(found["place"], dict):
        assert {"city", "zip"} <= set(found["place"]) <= set(PLACE["properties"])
