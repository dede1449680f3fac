"""Assertions hold or say in a few words why not; what cannot be judged is refused when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.prompt.case.assertion import KINDS, SHOWN, Answered, AssertionInvalid, Kind, assertion_of, shorten

SCHEMA = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}, "required": ["label"]}


def judged(kind: Kind, value: Any, text: str = "", *, tokens: int | None = 5, seconds: float = 1.0) -> str:
    return assertion_of(kind, value).judge(Answered(text, tokens, seconds))


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("contains", "refund", "Your refund is on its way."),
        ("not-contains", "sorry", "Your refund is on its way."),
        ("equals", "billing", "billing"),
        ("equals", "billing\n", "\n billing "),
        ("regex", r"order \d+", "About order 17:"),
        ("regex", r"(?s)^a.b$", "a\nb"),
        ("is-json", True, ' {"a": [1]} '),
        ("is-json", True, "1"),
        ("json-schema", SCHEMA, '{"label": "a"}'),
        ("json-schema", {"type": "string", "format": "date"}, '"2026-11-24"'),
        ("max-tokens", 5, ""),
        ("latency", "1s", ""),
    ],
)
def test_what_holds_says_nothing(kind: Kind, value: Any, text: str) -> None:
    assert judged(kind, value, text) == ""


@pytest.mark.parametrize(
    ("kind", "value", "text", "why"),
    [
        ("contains", "refund", "Refund", "it is not there"),
        ("not-contains", "sorry", "sorry!", "it is there"),
        ("equals", "billing", "billing.", 'it is "billing."'),
        ("equals", "billing", "", 'it is ""'),
        ("regex", r"order \d+$", "order 17:", "it is not found"),
        ("is-json", True, '```json\n{"a": 1}\n```', "it is no JSON"),
        ("is-json", True, "", "it is no JSON"),
        ("is-json", True, "[" * 10_000, "it is no JSON"),
        ("is-json", True, '{"a": NaN}', "it is no JSON"),
        ("is-json", True, '"\ud800"', "it is no JSON"),
        ("json-schema", SCHEMA, "label: a", "it is no JSON"),
        ("json-schema", SCHEMA, '{"label": "c"}', '/label: "c" is not one of "a" or "b"'),
        ("json-schema", SCHEMA, "{}", 'the whole: "label" is a required property'),
        ("json-schema", {"type": "string", "format": "date"}, '"24.11."', 'the whole: "24.11." is not a "date"'),
    ],
)
def test_what_does_not_hold_says_why(kind: Kind, value: Any, text: str, why: str) -> None:
    assert judged(kind, value, text) == why


def test_tokens_are_those_that_were_counted() -> None:
    assert judged("max-tokens", 4) == "it has 5"
    assert judged("max-tokens", 4, tokens=None) == "nobody counted the answer's tokens"


def test_latency_is_held_against_the_whole_answer() -> None:
    assert judged("latency", "800ms", seconds=0.8) == ""
    assert judged("latency", "800ms", seconds=0.8004) == "it took 0.8004s"
    assert judged("latency", "2s", seconds=12.5) == "it took 12.5s"


def test_a_misfit_is_told_shortly() -> None:
    assert len(judged("json-schema", {"type": "integer"}, f'"{"x" * 10_000}"')) < 250


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("contains", ""),
        ("contains", 5),
        ("not-contains", None),
        ("equals", ["billing"]),
        ("regex", "("),
        ("regex", 1),
        ("regex", "(?z)"),
        ("is-json", False),
        ("is-json", "yes"),
        ("json-schema", "object"),
        ("json-schema", {"type": "nothing"}),
        ("json-schema", {"pattern": "("}),
        ("json-schema", {"$ref": "http://127.0.0.1:1/schema"}),
        ("json-schema", {"$ref": "#/$defs/nothing"}),
        ("json-schema", {1: 2}),
        ("max-tokens", 0),
        ("max-tokens", True),
        ("max-tokens", 5.0),
        ("max-tokens", "5"),
        ("latency", 2),
        ("latency", "0s"),
        ("latency", "2 s"),
        ("latency", None),
    ],
)
def test_what_cannot_be_judged_is_refused(kind: Kind, value: Any) -> None:
    with pytest.raises(AssertionInvalid, match=r"^must be .*[^.]$"):
        assertion_of(kind, value)


def test_a_schema_is_whole_and_reads_no_other_file(tmp_path: Path) -> None:
    other = tmp_path / "schema.json"
    other.write_text('{"type": "object"}')
    with pytest.raises(AssertionInvalid, match="must be a JSON Schema that holds all that it refers to"):
        assertion_of("json-schema", {"$ref": other.as_uri()})


def test_an_assertion_is_shown_on_one_line() -> None:
    values: dict[Kind, Any] = {"is-json": True, "json-schema": SCHEMA, "max-tokens": 5, "latency": "1500ms"}
    for kind in KINDS:
        shown = assertion_of(kind, values.get(kind, "a\n" + "b" * 200)).shown
        assert "\n" not in shown
        assert len(shown) <= len(kind) + 1 + SHOWN
    assert assertion_of("contains", "a\nb").shown == r'contains "a\nb"'
    assert assertion_of("regex", r"\d+").shown == r"regex \d+"
    assert assertion_of("latency", "1500ms").shown == "latency 1500ms"
    assert assertion_of("json-schema", {"type": "object"}).shown == 'json-schema {"type":"object"}'


def test_what_is_short_is_shown_whole() -> None:
    assert shorten("x" * (SHOWN - 2)) == f'"{"x" * (SHOWN - 2)}"'
    assert shorten("x" * (SHOWN - 1)) == f'"{"x" * (SHOWN - 2)}…'
