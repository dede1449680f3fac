from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.prompt.contract.compatibility import incompatible
from gateway.prompt.contract.contract import Contract, VariablesInvalid, contract_of
from tests.prompt.file.front import front


def _contract(inputs: str, limits: str = "{}", *, mode: str = "enforce") -> Contract:
    return contract_of(front(f"metadata: {{gateway: {{mode: {mode}, limits: {limits}}}}}\ninputs: {inputs}"))


def _found(old: tuple[str, str] | str, new: tuple[str, str] | str) -> list[str]:
    before, after = (_contract(*one) if isinstance(one, tuple) else _contract(one) for one in (old, new))
    return incompatible(before, after)


A = "{a: {kind: string}}"
ITEMS = "{{a: {{kind: array, items: {}}}}}"
CITY = "{kind: object, properties: {city: {kind: string}}}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (A, "{}", "a is no longer taken"),
        (A, "{a: {kind: string}, b: {kind: string}}", "b is now required"),
        ("{a: x}", A, "a is now required"),
        ("{a: {kind: string, required: false}}", A, "a is now required"),
        (A, "{a: {kind: integer}}", "a no longer takes strings"),
        ("{a: {kind: float}}", "{a: {kind: integer}}", "a no longer takes numbers"),
        ("{a: {kind: boolean}}", "{a: {kind: object}}", "a no longer takes true and false"),
        ((A, "{a: {nullable: true}}"), A, "a no longer takes null"),
        (A, "{a: {kind: string, enumValues: [x]}}", "a took any value and now takes only some"),
        (
            "{a: {kind: string, enumValues: [x, y, z]}}",
            "{a: {kind: string, enumValues: [y]}}",
            'a no longer takes "x"|a no longer takes "z"',
        ),
        ("{a: {kind: string, enumValues: [x, yyy]}}", (A, "{a: {maxLength: 2}}"), 'a no longer takes "yyy"'),
        (A, (A, "{a: {maxLength: 5}}"), "a must now have at most 5 characters"),
        ((A, "{a: {maxLength: 6}}"), (A, "{a: {maxLength: 5}}"), "a must now have at most 5 characters"),
        (A, (A, "{a: {minLength: 1}}"), "a must now have at least 1 characters"),
        (A, (A, "{a: {pattern: ^a}}"), "a must now fit another pattern"),
        ((A, "{a: {format: date}}"), (A, "{a: {format: time}}"), "a must now fit another format"),
        (ITEMS.format(CITY), ITEMS.format("{kind: object}").replace("object", "string"), "a[] no longer takes objects"),
        ("{a: {kind: array}}", ITEMS.format(CITY), "a took items of any kind and no longer does"),
        ("{a: {kind: object}}", f"{{a: {CITY}}}", "a took entries of any kind and no longer does"),
        (
            f"{{a: {CITY}}}",
            "{a: {kind: object, properties: {town: {kind: string}}}}",
            "a.city is no longer taken|a.town is now required",
        ),
        (
            ITEMS.format(CITY),
            (ITEMS.format(CITY), "{a: {items: {properties: {city: {maxLength: 1}}}}}"),
            "a[].city must now have at most 1 characters",
        ),
        (
            "{a: {kind: array}}",
            ("{a: {kind: array}}", "{a: {maxItems: 3, minItems: 1, uniqueItems: true}}"),
            "a must now have at least 1 items|a must now have at most 3 items|a must now hold no item twice",
        ),
        ("{a: {kind: object}}", ("{a: {kind: object}}", "{a: {maxProperties: 3}}"), "a must now have at most 3 entries"),
        ("{a: {kind: integer}}", ("{a: {kind: integer}}", "{a: {minimum: 0}}"), "a must now be at least 0"),
        ("{a: {kind: float}}", ("{a: {kind: float}}", "{a: {exclusiveMaximum: 1}}"), "a must now be less than 1"),
        (
            ("{a: {kind: integer}}", "{a: {exclusiveMinimum: 0}}"),
            ("{a: {kind: integer}}", "{a: {minimum: 2}}"),
            "a must now be at least 2",
        ),
        (
            ("{a: {kind: integer}}", "{a: {exclusiveMaximum: 0}}"),
            ("{a: {kind: integer}}", "{a: {maximum: -2}}"),
            "a must now be at most -2",
        ),
        (
            ("{a: {kind: float}}", "{a: {maximum: 1}}"),
            ("{a: {kind: float}}", "{a: {exclusiveMaximum: 1}}"),
            "a must now be less than 1",
        ),
        (
            ("{a: {kind: float}}", "{a: {minimum: 1}}"),
            ("{a: {kind: float}}", "{a: {exclusiveMinimum: 1}}"),
            "a must now be more than 1",
        ),
        ("{a: {kind: integer}}", ("{a: {kind: integer}}", "{a: {multipleOf: 2}}"), "a must now be a multiple of 2"),
        (
            ("{a: {kind: integer}}", "{a: {multipleOf: 4}}"),
            ("{a: {kind: integer}}", "{a: {multipleOf: 3}}"),
            "a must now be a multiple of 3",
        ),
        (
            "{a: {kind: thread}}",
            ITEMS.format("{kind: object, properties: {role: {kind: string}, content: {kind: string}}}"),
            "a[].content is now required|a[] took any other name and no longer does",
        ),
        (
            ITEMS.format("{kind: object, properties: {role: {kind: string, enumValues: [user]}, content: {kind: string}}}"),
            "{a: {kind: thread}}",
            "a must now be a thread of messages",
        ),
        (
            "{a: {kind: array}}",
            "{a: {kind: thread}}",
            "a took items of any kind and no longer does|a must now be a thread of messages",
        ),
    ],
)
def test_what_callers_would_lose_is_told(old: tuple[str, str] | str, new: tuple[str, str] | str, said: str) -> None:
    assert _found(old, new) == said.split("|")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (A, A),
        (A, "{a: {kind: string}, b: x, c: {kind: string, required: false}}"),
        (A, "{a: {kind: string, default: x, description: other}}"),
        (A, (A, "{a: {nullable: true}}")),
        ("{a: {kind: integer}}", "{a: {kind: number}}"),
        ("{a: {kind: float}}", "{a: {kind: number}}"),
        ((A, "{a: {maxLength: 5, minLength: 2, pattern: ^a, format: date}}"), A),
        ((A, "{a: {maxLength: 5}}"), (A, "{a: {maxLength: 6}}")),
        ("{a: {kind: string, enumValues: [x]}}", "{a: {kind: string, enumValues: [y, x]}}"),
        ("{a: {kind: string, enumValues: [x]}}", (A, "{a: {maxLength: 1, pattern: x}}")),
        (("{a: {kind: integer}}", "{a: {exclusiveMinimum: 2}}"), ("{a: {kind: integer}}", "{a: {minimum: 3}}")),
        (("{a: {kind: integer}}", "{a: {maximum: 9}}"), ("{a: {kind: number}}", "{a: {exclusiveMaximum: 9.5}}")),
        (("{a: {kind: integer}}", "{a: {multipleOf: 6}}"), ("{a: {kind: integer}}", "{a: {multipleOf: 3}}")),
        ("{a: {kind: integer}}", ("{a: {kind: number}}", "{a: {multipleOf: 1}}")),
        (ITEMS.format(CITY), "{a: {kind: array}}"),
        (f"{{a: {CITY}}}", "{a: {kind: object}}"),
        ("{a: {kind: thread}}", "{a: {kind: array}}"),
        ("{a: {kind: thread}}", "{a: {kind: thread}}"),
        ("{}", "{}"),
    ],
)
def test_what_callers_would_not_notice_is_compatible(old: tuple[str, str] | str, new: tuple[str, str] | str) -> None:
    assert _found(old, new) == []


def test_modes_and_numbers_say_nothing() -> None:
    assert incompatible(_contract(A, mode="shadow"), _contract(A)) == []
    assert incompatible(_contract(A, mode="shadow"), _contract("{}")) == ["a is no longer taken"]


# Contracts are made as their schemas: every keyword that the format can say, and small numbers, so that old and new often meet.

_SMALL = st.integers(0, 3)
_STRINGS = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": _SMALL,
        "maxLength": _SMALL,
        "pattern": st.sampled_from(["^a", "b$"]),
        "format": st.sampled_from(["date", "ipv4"]),
        "enum": st.lists(st.sampled_from(["", "a", "b", "ab", "aab", "2026-01-31"]), min_size=1, max_size=3, unique=True),
    },
)
_BOUND = st.integers(-2, 3) | st.sampled_from([-0.5, 0.5, 1.5])
_WHOLE = {"minimum": st.integers(-2, 3), "maximum": st.integers(-2, 3), "exclusiveMinimum": st.integers(-2, 3)}
_INTEGERS = st.fixed_dictionaries(
    {"type": st.just("integer")},
    optional={
        **_WHOLE,
        "exclusiveMaximum": st.integers(-2, 3),
        "multipleOf": st.integers(1, 4),
        "enum": st.lists(st.integers(-1, 3), min_size=1, max_size=3, unique=True),
    },
)
_NUMBERS = st.fixed_dictionaries(
    {"type": st.just("number")},
    optional={
        "minimum": _BOUND,
        "maximum": _BOUND,
        "exclusiveMinimum": _BOUND,
        "exclusiveMaximum": _BOUND,
        "multipleOf": st.integers(1, 4),
        "enum": st.lists(st.sampled_from([0, 1, 0.5, 2.0]), min_size=1, max_size=3, unique=True),
    },
)
_LISTS = st.fixed_dictionaries(
    {"type": st.just("array")},
    optional={"minItems": _SMALL, "maxItems": _SMALL, "uniqueItems": st.booleans(), "items": _STRINGS | _INTEGERS},
)
_LEAVES = _STRINGS | _INTEGERS | _NUMBERS | st.just({"type": "boolean"})
_NAMES = ("a", "b", "c")
_EITHER: st.SearchStrategy[bool] = st.booleans()


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    more = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **more}


def _closed(parts: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    names = [name for name in required if name in parts]
    return {"type": "object", "properties": dict(parts), "additionalProperties": False, **({"required": names} if names else {})}


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    sizes = {"minItems": _SMALL, "maxItems": _SMALL, "uniqueItems": st.booleans()}
    arrays = st.fixed_dictionaries({"type": st.just("array")}, optional={**sizes, "items": inner})
    entries = {"minProperties": st.integers(0, 2), "maxProperties": st.integers(0, 2)}
    free = st.fixed_dictionaries({"type": st.just("object")}, optional=entries)
    closed = st.builds(
        lambda parts, required, more: {**_closed(parts, required), **more},
        st.dictionaries(st.sampled_from(_NAMES), inner, max_size=2),
        st.lists(st.sampled_from(_NAMES), unique=True, max_size=2),
        st.fixed_dictionaries({}, optional=entries),
    )
    return arrays | free | closed


_PARTS = st.recursive(
    _LEAVES | _LEAVES.map(_nullable), lambda inner: _containers(inner) | _containers(inner).map(_nullable), max_leaves=4
)
_ROOTS = st.builds(
    lambda parts, required: {**_closed(parts, required), "x-contract": 1},
    st.dictionaries(st.sampled_from(_NAMES), _PARTS, min_size=1, max_size=2),
    st.lists(st.sampled_from(_NAMES), unique=True, max_size=3),
)


def _changed(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that differs in a place or two: what people do between two versions."""
    found = copy.deepcopy(schema)
    spot = found
    while True:
        inner = [*spot.get("properties", {}).values(), *([spot["items"]] if "items" in spot else [])]
        if not inner or (spot is not found and draw(_EITHER)):
            break
        spot = draw(st.sampled_from(inner))
    keys = [key for key in spot if key not in {"type", "properties", "x-contract", "additionalProperties"}]
    if draw(_EITHER) and keys:
        key = draw(st.sampled_from(sorted(keys)))
        value = spot.pop(key)
        if type(value) is int:
            spot[key] = max(
                value + draw(st.sampled_from([-1, 1])), 1 if key == "multipleOf" else 0 if key[:3] in {"min", "max"} else -9
            )
        elif isinstance(value, list) and draw(_EITHER) and len(value) > 1:
            spot[key] = value[1:]
    else:
        spot.update(draw(_PARTS))
    if "required" in spot and not isinstance(spot.get("properties"), dict):
        spot.pop("required")
    return found


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    old = draw(_ROOTS)
    if draw(st.integers(0, 3)) == 0:
        return old, draw(_ROOTS)
    return old, _changed(draw, old)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 4) | st.sampled_from([0.5, 1.0, "", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=2),
    max_leaves=4,
)


def _values(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that mostly fit a schema, at its limits where it has any."""
    types = schema.get("type", "any")
    kind = types if isinstance(types, str) else types[0]
    found: st.SearchStrategy[Any]
    if "enum" in schema:
        found = st.sampled_from(schema["enum"])
    elif kind == "string":
        found = st.sampled_from(["", "a", "b", "ab", "aab", "aabb", "2026-01-31", "127.0.0.1", "abababab"])
    elif kind == "integer":
        found = st.integers(-4, 13)
    elif kind == "number":
        found = st.integers(-4, 13) | st.sampled_from([-0.5, 0.5, 1.0, 1.5, 2.0, 2.5, 12.0, 1e300])
    elif kind == "boolean":
        found = st.booleans()
    elif kind == "array":
        found = st.lists(_values(schema.get("items", {})), max_size=5)
    elif kind == "object" and "properties" in schema:
        parts = {name: _values(part) for name, part in schema["properties"].items()}
        required = schema.get("required", ())
        found = st.fixed_dictionaries(
            {name: part for name, part in parts.items() if name in required},
            optional={name: part for name, part in parts.items() if name not in required},
        )
    elif kind == "object":
        found = st.dictionaries(st.sampled_from(_NAMES), _ANY, max_size=3)
    else:
        found = _ANY
    return found if isinstance(types, str) else found | st.none()


def _admits(contract: Contract, variables: dict[str, Any]) -> bool:
    try:
        contract.admit(variables)
    except VariablesInvalid:
        return False
    return True


@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(_pairs(), st.data())
def test_what_the_old_contract_admits_a_compatible_one_admits_too(
    pair: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    old, new = (Contract(schema) for schema in pair)
    assume(not incompatible(old, new))
    for _ in range(4):
        variables = data.draw(_values(pair[0]))
        if _admits(old, variables):
            assert _admits(new, variables), variables


_POOL: tuple[Any, ...] = (
    *("", "a", "b", "ab", "ba", "aab", "aabb", "2026-01-31", "127.0.0.1"),
    *(-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 9, 12),
    *([], [1], [1, 1], [0, 1, 2], ["a"], ["a", "a"], ["a", "ab", "b"], [None], [2.0], ["", 1], [[]], ["aabb", "", "a", "b"]),
    *(-2.5, -0.5, 0.5, 1.0, 1.5, 2.0, 2.5, 4.0, 1e300, None, True, False),
)


def _alike(kind: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[tuple[dict[str, Any], dict[str, Any]]]:
    """Return pairs of one kind, the second often the first with a keyword less, or one more."""
    return st.tuples(kind, kind, st.sampled_from(["other", "less", "more"])).map(
        lambda drawn: (
            drawn[0],
            {
                "other": drawn[1],
                "less": dict(list(drawn[0].items())[:-1]) if len(drawn[0]) > 1 else drawn[0],
                "more": {**drawn[1], **drawn[0]},
            }[drawn[2]],
        )
    )


@settings(max_examples=600)
@given(
    _alike(_STRINGS)
    | _alike(_INTEGERS)
    | _alike(_NUMBERS)
    | _alike(_LISTS)
    | st.tuples(_LEAVES, _LEAVES)
    | st.tuples(_INTEGERS, _NUMBERS)
)
def test_no_value_that_was_admitted_is_refused_where_nothing_is_said(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Tried with every value of a pool, so that no limit goes untried."""
    old, new = (Contract({**_closed({"a": leaf}, ["a"]), "x-contract": 1}) for leaf in pair)
    lost = [value for value in _POOL if _admits(old, {"a": value}) and not _admits(new, {"a": value})]
    assert not lost or incompatible(old, new)


@given(_ROOTS)
def test_every_contract_is_compatible_with_itself(schema: dict[str, Any]) -> None:
    assert incompatible(Contract(schema), Contract(copy.deepcopy(schema))) == []


@given(_pairs())
def test_a_sentence_says_which_input(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for sentence in incompatible(Contract(pair[0]), Contract(pair[1])):
        assert sentence[0] in _NAMES
