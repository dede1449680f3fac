from __future__ import annotations

import jsonschema_rs
import pytest

from gateway.prompt.file.keywords import FORMATS
from gateway.prompt.file.limits import LIMITS
from tests.prompt.file.front import front, problems

INPUTS = """
inputs:
  text: {kind: string}
  count: {kind: integer}
  share: {kind: float}
  deep: {kind: boolean}
  tags: {kind: array, items: {kind: string}}
  place: {kind: object, properties: {city: {kind: string}, zip: {kind: integer}}}
  free: {kind: object}
  history: {kind: thread}
"""


def _problems(limits: str) -> list[str]:
    return problems(f"metadata: {{gateway: {{limits: {limits}}}}}{INPUTS}")


def test_keywords_are_taken_as_they_stand_also_inside() -> None:
    limits = """{
      text: {minLength: 1, maxLength: 80, pattern: '^[A-Z]', format: email, nullable: true},
      count: {minimum: 0, exclusiveMaximum: 10, multipleOf: 2},
      share: {exclusiveMinimum: 0, maximum: 0.5},
      deep: {nullable: false},
      tags: {minItems: 1, maxItems: 9, uniqueItems: true, items: {maxLength: 3}},
      place: {maxProperties: 2, properties: {city: {minLength: 2}}},
      free: {minProperties: 1},
      history: {maxItems: 20}}"""
    found = front(f"metadata: {{gateway: {{limits: {limits}}}}}{INPUTS}").limits
    assert found == {
        "text": {"minLength": 1, "maxLength": 80, "pattern": "^[A-Z]", "format": "email", "nullable": True},
        "count": {"minimum": 0, "exclusiveMaximum": 10, "multipleOf": 2},
        "share": {"exclusiveMinimum": 0, "maximum": 0.5},
        "deep": {"nullable": False},
        "tags": {"minItems": 1, "maxItems": 9, "uniqueItems": True, "items": {"maxLength": 3}},
        "place": {"maxProperties": 2, "properties": {"city": {"minLength": 2}}},
        "free": {"minProperties": 1},
        "history": {"maxItems": 20},
    }


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("{txet: {maxLength: 1}}", 'txet is no input of the prompt: did you mean "text"?'),
        ("{text: 80}", "text must be a mapping of keys to values"),
        ("{text: {maxlength: 80}}", 'text.maxlength is no limit of kind string: did you mean "maxLength"?'),
        (
            "{text: {maxItems: 80}}",
            "text.maxItems is no limit of kind string: known: format, maxLength, minLength, nullable, pattern",
        ),
        (
            "{count: {maxLength: 80}}",
            (
                "count.maxLength is no limit of kind integer: known: exclusiveMaximum, exclusiveMinimum, maximum, minimum, "
                "multipleOf, nullable"
            ),
        ),
        ("{text: {maxLength: -1}}", "text.maxLength must be an integer of at least 0"),
        ("{text: {maxLength: 1.0}}", "text.maxLength must be an integer of at least 0"),
        ("{text: {maxLength: true}}", "text.maxLength must be an integer of at least 0"),
        ("{text: {maxLength: 2147483648}}", "text.maxLength must be an integer of at least 0"),
        ("{count: {minimum: 0.5}}", "count.minimum must be an integer"),
        ("{count: {multipleOf: 0}}", "count.multipleOf must be an integer above 0"),
        ("{share: {maximum: '1'}}", "share.maximum must be a number"),
        ("{share: {maximum: true}}", "share.maximum must be a number"),
        ("{tags: {uniqueItems: 1}}", "tags.uniqueItems must be true or false"),
        ("{text: {nullable: no}}", "text.nullable must be true or false"),
        ("{history: {nullable: true}}", "history.nullable is no limit of kind thread: known: maxItems, minItems"),
        ("{text: {format: mail}}", f"text.format must be one of {', '.join(FORMATS)}"),
        (
            "{text: {pattern: '['}}",
            "text.pattern must be a regular expression without look-around and back-references, and not too large",
        ),
        (
            "{text: {pattern: '(?=a)'}}",
            "text.pattern must be a regular expression without look-around and back-references, and not too large",
        ),
        (
            "{text: {pattern: '(a)\\1'}}",
            "text.pattern must be a regular expression without look-around and back-references, and not too large",
        ),
        ("{text: {pattern: 5}}", "text.pattern must be a regular expression of at most 1024 bytes"),
        (f"{{text: {{pattern: {'a' * 1025}}}}}", "text.pattern must be a regular expression of at most 1024 bytes"),
        ("{text: {minLength: 5, maxLength: 4}}", "text.maxLength is less than minLength: nothing could fit"),
        ("{share: {minimum: 0.5, maximum: 0.4}}", "share.maximum is less than minimum: nothing could fit"),
        (
            "{tags: {items: {maxItems: 3}}}",
            ("tags.items.maxItems is no limit of kind string: known: format, maxLength, minLength, nullable, pattern"),
        ),
        ("{place: {properties: {town: {}}}}", "place.properties.town is no property of the input: known: city, zip"),
        ("{place: {properties: {zip: {maximum: x}}}}", "place.properties.zip.maximum must be an integer"),
        ("{free: {properties: {}}}", 'free.properties is no limit of kind object: did you mean "minProperties"?'),
    ],
)
def test_what_does_not_fit_the_kind_is_told(limits: str, said: str) -> None:
    found = [one for one in _problems(limits) if not one.startswith("warning")]
    assert found == [f"2: metadata.gateway.limits.{said}"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_known_to_the_validator(name: str) -> None:
    validator = jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True, ignore_unknown_formats=False)
    assert not validator.is_valid("] not [")
    assert _problems(f"{{text: {{format: {name}}}}}") == []


def test_a_pattern_that_grows_too_large_is_told_and_there_is_an_end_to_patterns() -> None:
    said = "must be a regular expression without look-around and back-references, and not too large"
    assert _problems("{text: {pattern: '^.{1,2000}$'}}") == [f"2: metadata.gateway.limits.text.pattern {said}"]
    names = [f"v{number}" for number in range(LIMITS.patterns + 1)]
    inputs = f"inputs: {{{', '.join(f'{name}: {{kind: string}}' for name in names)}}}"
    limits = [f"{name}: {{pattern: a}}" for name in names]
    text = "metadata: {{gateway: {{limits: {{{}}}}}}}\n" + inputs.replace("{", "{{").replace("}", "}}")
    assert problems(text.format(", ".join(limits))) == ["2: metadata.gateway.limits have more than 32 patterns"]
    assert problems(text.format(", ".join(limits[1:]))) == []


def test_inputs_may_be_named_like_keywords() -> None:
    limits = "{pattern: {pattern: '[', maxLength: x}, items: {maxLength: 1}}"
    said = problems(
        f"metadata: {{gateway: {{limits: {limits}}}}}\ninputs: {{pattern: {{kind: string}}, items: {{kind: string}}}}"
    )
    assert [one.partition(" must")[0] for one in said] == [
        "2: metadata.gateway.limits.pattern.maxLength",
        "2: metadata.gateway.limits.pattern.pattern",
    ]
