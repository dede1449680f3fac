"""What a case expects of an answer: plain assertions, judged without any model. Pure.

contains, not-contains    a text that the answer holds, or does not
equals                    the whole answer, spaces around it aside
regex                     a pattern that is found somewhere in it
is-json                   true: the answer is one JSON value
json-schema               a schema that the answer, read as JSON, fits
max-tokens                so many tokens of output, as the server counted them
latency                   until the answer was whole: a duration such as "2s"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import jsonschema_rs
import msgspec
from pydantic import TypeAdapter, ValidationError

from gateway.settings.values import FROM_FILE, Duration, duration

Kind = Literal["contains", "not-contains", "equals", "regex", "is-json", "json-schema", "max-tokens", "latency"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

SHOWN: Final = 60
"""Characters of an expected text that are shown."""

Judge = Callable[["Answered"], str]
"""Says what is wrong with an answer, in a few words; nothing where it is as expected."""

_duration: Final = TypeAdapter[float](Duration)


@dataclass(frozen=True, slots=True)
class Answered:
    """A model's answer: its text, the tokens of it where somebody counted them, and the seconds until it was whole."""

    text: str
    output_tokens: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Assertion:
    """One thing that is expected; `shown` says it on one line."""

    kind: Kind
    shown: str
    judge: Judge = field(repr=False, compare=False)


class AssertionInvalid(ValueError):
    """An assertion cannot be judged; the message is a predicate ("must be …") about its value."""


def assertion_of(kind: Kind, value: Any) -> Assertion:
    """Return the assertion of a kind and the value that a case gives it; raises `AssertionInvalid`."""
    shown, judge = _MAKERS[kind](value)
    return Assertion(kind, f"{kind} {shown}", judge)


def shorten(text: str) -> str:
    """Return a text on one line, in quotes, that is not too long to be shown."""
    return _cut(msgspec.json.encode(text).decode())


def _cut(line: str) -> str:
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _contains(value: Any) -> tuple[str, Judge]:
    text = _text(value)
    return shorten(text), lambda answer: "" if text in answer.text else "it is not there"


def _not_contains(value: Any) -> tuple[str, Judge]:
    text = _text(value)
    return shorten(text), lambda answer: "it is there" if text in answer.text else ""


def _equals(value: Any) -> tuple[str, Judge]:
    text = _text(value).strip()
    return shorten(text), lambda answer: "" if answer.text.strip() == text else f"it is {shorten(answer.text.strip())}"


def _regex(value: Any) -> tuple[str, Judge]:
    try:
        pattern = re.compile(_text(value))
    except (re.error, OverflowError, RecursionError):
        raise AssertionInvalid("must be a regular expression as Python reads it") from None
    return _cut(pattern.pattern.replace("\n", "\\n")), lambda answer: "" if pattern.search(answer.text) else "it is not found"


def _is_json(value: Any) -> tuple[str, Judge]:
    if value is not True:
        raise AssertionInvalid("must be true")
    return "true", lambda answer: _read(answer.text)[1]


def _json_schema(value: Any) -> tuple[str, Judge]:
    if not isinstance(value, Mapping):
        raise AssertionInvalid("must be a JSON Schema: a mapping")
    try:
        validator = jsonschema_rs.validator_for(dict(value), validate_formats=True, offline=True)
    except (jsonschema_rs.ReferencingError, ValueError):  # also what is no schema at all
        raise AssertionInvalid("must be a JSON Schema that holds all that it refers to") from None

    def judge(answer: Answered) -> str:
        found, wrong = _read(answer.text)
        return wrong or next((_misfit(error) for error in validator.iter_errors(found)), "")

    return _cut(msgspec.json.encode(value).decode()), judge


def _max_tokens(value: Any) -> tuple[str, Judge]:
    if type(value) is not int or value < 1:
        raise AssertionInvalid("must be a whole number above 0")

    def judge(answer: Answered) -> str:
        if answer.output_tokens is None:
            return "nobody counted the answer's tokens"
        return "" if answer.output_tokens <= value else f"it has {answer.output_tokens}"

    return str(value), judge


def _latency(value: Any) -> tuple[str, Judge]:
    try:
        most = _duration.validate_python(value, context={FROM_FILE: True})
    except ValidationError:
        raise AssertionInvalid('must be a duration such as "2s" or "800ms"') from None
    return duration(most), lambda answer: "" if answer.seconds <= most else f"it took {answer.seconds:.4g}s"


_MAKERS: Final[dict[Kind, Callable[[Any], tuple[str, Judge]]]] = {
    "contains": _contains,
    "not-contains": _not_contains,
    "equals": _equals,
    "regex": _regex,
    "is-json": _is_json,
    "json-schema": _json_schema,
    "max-tokens": _max_tokens,
    "latency": _latency,
}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise AssertionInvalid("must be a text that is not empty: quote what YAML reads as something else")
    return value


def _read(text: str) -> tuple[Any, str]:
    """Return the JSON value that a text is, or what is wrong with it."""
    try:
        return msgspec.json.decode(text), ""
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None, "it is no JSON"


def _misfit(error: jsonschema_rs.ValidationError) -> str:
    place = "".join(f"/{part}" for part in error.instance_path)
    return f"{place or 'the whole'}: {error.message[:200]}"
