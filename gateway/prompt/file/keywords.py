"""Keywords of JSON Schema under `metadata.gateway.limits.<input>`: read, checked against the input's kind.

`items` and `properties` reach inside, down to what the input declares; `nullable` allows null. A pattern is a regular
expression without look-around or back-references, so that it takes linear time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema_rs

from gateway.prompt.contract.violation import regex_options
from gateway.prompt.file.document import Path
from gateway.prompt.file.fields import Fields
from gateway.prompt.file.frontmatter import Property
from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.report import Report

FORMATS = (
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "json-pointer",
    "time",
    "uri",
    "uuid",
)

_MOST_COUNT = 2**31 - 1

Check = Callable[[Any], str | None]
"""Returns what a keyword's value must be, or None where it is."""


def _count(value: Any) -> str | None:
    return None if type(value) is int and 0 <= value <= _MOST_COUNT else "must be an integer of at least 0"


def _whole(value: Any) -> str | None:
    return None if type(value) is int else "must be an integer"


def _number(value: Any) -> str | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return None if fits else "must be a number"


def _multiple(value: Any) -> str | None:
    return None if type(value) is int and value > 0 else "must be an integer above 0"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _format(value: Any) -> str | None:
    return None if value in FORMATS else f"must be one of {', '.join(FORMATS)}"


def _pattern(value: Any) -> str | None:
    fits = isinstance(value, str) and len(value.encode()) <= LIMITS.pattern_bytes
    return None if fits else f"must be a regular expression of at most {LIMITS.pattern_bytes} bytes"


_TEXT: Mapping[str, Check] = {"minLength": _count, "maxLength": _count, "pattern": _pattern, "format": _format}
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_INTEGER: Mapping[str, Check] = {**dict.fromkeys(_BOUNDS, _whole), "multipleOf": _multiple}
_NUMBER: Mapping[str, Check] = {**dict.fromkeys(_BOUNDS, _number), "multipleOf": _multiple}
_OF_KIND: Mapping[str, Mapping[str, Check]] = {
    "string": _TEXT,
    "integer": _INTEGER,
    "float": _NUMBER,
    "number": _NUMBER,
    "boolean": {},
    "array": {"minItems": _count, "maxItems": _count, "uniqueItems": _flag},
    "object": {"minProperties": _count, "maxProperties": _count},
    "thread": {"minItems": _count, "maxItems": _count},
}
_PAIRS = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minimum", "maximum"),
)


def read_keywords(report: Report, path: Path, value: Any, *, of: Property) -> dict[str, Any]:
    """Return the keywords that stand at a path for one input; what does not fit its kind is reported and left out."""
    checks: dict[str, Check] = dict(_OF_KIND[of.kind])
    if of.kind != "thread":
        checks["nullable"] = _flag
    inner = [name for name in ("items", "properties") if getattr(of, name) is not None]
    fields = Fields(report, path, value, known=(*checks, *inner), noun=f"limit of kind {of.kind}")
    found: dict[str, Any] = {}
    for keyword, check in checks.items():
        if keyword not in fields:
            continue
        given = fields.raw(keyword)
        if (must := check(given)) is None:
            found[keyword] = given
        else:
            fields.wrong(keyword, must)
    for least, most in _PAIRS:
        if least in found and most in found and found[least] > found[most]:
            fields.wrong(most, f"is less than {least}: nothing could fit")
    if "items" in fields and of.items is not None:
        found["items"] = read_keywords(report, fields.at("items"), fields.raw("items"), of=of.items)
    if "properties" in fields and of.properties is not None:
        declared = {one.name: one for one in of.properties}
        below = fields.below("properties", known=declared, noun="property of the input")
        found["properties"] = {
            name: read_keywords(report, below.at(name), below.raw(name), of=one)
            for name, one in declared.items()
            if name in below
        }
    return found


def check_patterns(report: Report, path: Path, limits: Mapping[str, Any]) -> None:
    """Compile the regular expressions among limits, which stand at a path; report those that cannot be, and too many."""
    found = list(_patterns(path, limits))
    if len(found) > LIMITS.patterns:
        report.add(path, f"have more than {LIMITS.patterns} patterns")
        return
    for place, pattern in found:
        try:
            jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=regex_options())
        except jsonschema_rs.ValidationError:
            report.add(place, "must be a regular expression without look-around and back-references, and not too large")


def _patterns(path: Path, limits: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for key, value in limits.items():
        if isinstance(value, dict):
            yield from _patterns((*path, key), value)
        elif key == "pattern":
            yield (*path, key), value
