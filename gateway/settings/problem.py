"""What is wrong with a configuration, as one sentence about one key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.settings.keys import Key, advice, dotted, settings_below

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_KEY_OF_TABLE = "[key]"
_SHORTER = (
    (re.compile(r"^Value error, "), ""),
    (re.compile(r"^(Input|String|Tuple|Dictionary) should "), "must "),
    (re.compile(r"^must be a valid (tuple|list)$"), "must be a list"),
    (re.compile(r"^must be a valid (dictionary.*)$"), "must be a table"),
    (re.compile(r"^must be a valid "), "must be a "),
    (re.compile(r"^must be a (integer)"), r"must be an \1"),
    (re.compile(r" after validation, not \d+$"), ""),
    (re.compile(r"^Input is not a valid path\b.*$"), "must be a path"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `text` is a predicate of the key and never holds a value of the configuration."""

    key: Key
    text: str

    def sentence(self, file: str, origins: Mapping[Key, str]) -> str:
        """Return the problem with the place where the value was written: the file, or a variable of the environment."""
        variable = next((name for key, name in origins.items() if self.key[: len(key)] == key), None)
        place = f"environment variable {variable}" if variable else file
        return f"{place}: {dotted(self.key)} {self.text}" if self.key else f"{place}: {self.text}"


def unknown(key: Key, known: Iterable[str]) -> Problem:
    """Return the problem of a key that the tree does not have."""
    return Problem(key, f"is not a setting: {advice(str(key[-1]), known)}")


def from_pydantic(errors: list[ErrorDetails]) -> list[Problem]:
    """Return pydantic's errors in our words; the input that they hold is left out."""
    places = [error["loc"] for error in errors]
    return [_problem(error) for error in errors if not _follows(error, places)]


def _follows(error: ErrorDetails, places: list[Key]) -> bool:
    """Tell whether a list is too short only because one of its items is wrong, which is told already."""
    place = error["loc"]
    return error["type"] == "too_short" and any(other != place and other[: len(place)] == place for other in places)


def _problem(error: ErrorDetails) -> Problem:
    key: Key = error["loc"]
    kind = error["type"]
    if kind == "extra_forbidden":
        return unknown(key, settings_below(key[:-1]) or ())
    if kind == "missing":
        return Problem(key, "is missing: add it")
    if key and key[-1] == _KEY_OF_TABLE:
        key = key[:-1]
    return Problem(key, _shortened(error["msg"], error.get("ctx", {})))


def _shortened(text: str, context: Mapping[str, Any]) -> str:
    if "class_name" in context:
        return "must be a table"
    for pattern, replacement in _SHORTER:
        text = pattern.sub(replacement, text)
    return text
