"""Reads properties of Prompty v2: inputs, fields of the answer, parameters of a tool.

They stand in a list of mappings with a `name`, or in one mapping from name to the rest; there a plain value is a default whose
kind is its own. An input is required unless it has a default; fields of an answer and parameters are as the format has it:
required where they say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import UNSET

from gateway.prompt.file.document import Path
from gateway.prompt.file.fields import Fields
from gateway.prompt.file.frontmatter import Kind, Property
from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.report import Report

Place = Literal["input", "output", "parameter"]
"""Whose properties they are."""

KINDS: Final[tuple[Kind, ...]] = ("string", "integer", "float", "number", "boolean", "array", "object", "thread")
"""Kinds of an input; nothing else can be a thread."""

_PROPERTY = ("name", "kind", "description", "required", "default", "example", "enumValues", "items", "properties")
_ITEM = ("kind", "description", "enumValues", "items", "properties")
_RETIRED = {
    "type": "is no key of Prompty v2: write kind",
    "sample": "is no key of Prompty v2: write example",
    "enum": "is no key of Prompty v2: write enumValues",
    "strict": "need not be written: no value can become a message here",
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_TAKEN = frozenset(
    {"true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "loop", "self"}
)
"""Words of the template's language."""

_OF_KIND: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "float": (int, float),
    "number": (int, float),
}
"""The kinds that may have `enumValues`."""


def read_properties(report: Report, path: Path, value: Any, *, place: Place) -> tuple[Property, ...]:
    """Return the properties that stand at a path; what is wrong with them is reported."""
    return _Reader(report, place).all(path, value, inner=False)


class _Reader:
    def __init__(self, report: Report, place: Place) -> None:
        self._report = report
        self._place = place

    def all(self, path: Path, value: Any, *, inner: bool) -> tuple[Property, ...]:
        """Read a list or mapping of properties; `inner` ones are those of an object."""
        found: dict[str, Property] = {}
        for below, name, given in self._named(path, value):
            if not self._is_name(below, name, inner=inner):
                continue
            if name in found:
                self._report.add(below, "has a name that another one has already")
                continue
            found[name] = self._one(self._fields(below, given), name, inner=inner)
        if len(found) > LIMITS.inputs:
            self._report.add(path, f"has more than {LIMITS.inputs} properties")
        return tuple(found.values())

    def _named(self, path: Path, value: Any) -> Iterator[tuple[Path, str, Any]]:
        if isinstance(value, dict):
            for name, given in value.items():
                yield (*path, name), name, given
        elif isinstance(value, list):
            for place, given in enumerate(value):
                if isinstance(given, dict) and isinstance(given.get("name"), str):
                    yield (*path, place), given["name"], given
                else:
                    self._report.add((*path, place), "must be a mapping with a name")
        else:
            self._report.add(path, "must be a list of properties, or a mapping from names to them")

    def _is_name(self, path: Path, name: str, *, inner: bool) -> bool:
        if self._place == "input" and not inner:
            if not _VARIABLE.fullmatch(name):
                self._report.add(path, "has a name that no variable can have: use letters, digits and _, at most 64")
            elif name in _TAKEN:
                self._report.add(path, "has a name that is a word of the template's language")
            else:
                return True
            return False
        if not _NAME.fullmatch(name):
            self._report.add(path, "has a name of other characters than letters, digits, - and _, at most 64")
            return False
        return True

    def _fields(self, path: Path, given: Any) -> Fields:
        if isinstance(path[-1], int):
            return Fields(self._report, path, given, known=_PROPERTY, retired=_RETIRED)
        if not isinstance(given, dict):
            given = {"default": given}  # name: value
        return Fields(self._report, path, given, known=_PROPERTY[1:], retired=_RETIRED)

    def _one(self, fields: Fields, name: str, *, inner: bool) -> Property:
        kind = self._kind(fields, inner=inner)
        default = fields.raw("default", UNSET)
        if default is not UNSET and self._place == "output":
            fields.wrong("default", "cannot stand here: an answer is not filled in")
        elif default is not UNSET and self._place == "input" and inner:
            fields.wrong("default", "cannot stand here: only an input as a whole is filled in")
        required = fields.flag("required", default=self._place == "input")
        return Property(
            name=name,
            kind=kind,
            description=fields.text("description"),
            required=required and (default is UNSET or self._place != "input"),
            default=default,
            example=fields.raw("example", UNSET),
            values=_values(fields, kind),
            items=self._items(fields, kind),
            properties=self._properties(fields, kind),
        )

    def _kind(self, fields: Fields, *, inner: bool) -> Kind:
        threads = self._place == "input" and not inner
        if "kind" in fields:
            return fields.word("kind", KINDS if threads else KINDS[:-1], default="string")
        kind = _kind_of(fields.raw("default"))
        if kind is None:
            fields.required("kind")
        return kind or "string"

    def _items(self, fields: Fields, kind: Kind) -> Property | None:
        if kind != "array":
            if "items" in fields:
                fields.wrong("items", "belongs to kind array")
            return None
        if "items" not in fields:
            if self._place == "output":
                fields.wrong("kind", "is array and needs items: the answer's schema is strict")
            return None
        items = fields.below("items", known=_ITEM, retired=_RETIRED)
        inner = self._kind(items, inner=True)
        return Property(
            name="",
            kind=inner,
            description=items.text("description"),
            values=_values(items, inner),
            items=self._items(items, inner),
            properties=self._properties(items, inner),
        )

    def _properties(self, fields: Fields, kind: Kind) -> tuple[Property, ...] | None:
        if kind != "object":
            if "properties" in fields:
                fields.wrong("properties", "belongs to kind object")
            return None
        if "properties" not in fields:
            if self._place == "output":
                fields.wrong("kind", "is object and needs properties: the answer's schema is strict")
            return None
        return self.all(fields.at("properties"), fields.raw("properties"), inner=True)


def _kind_of(value: Any) -> Kind | None:
    """Return the kind of a default that stands alone."""
    kinds: tuple[tuple[type, Kind], ...] = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "float"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    )
    return next((kind for of, kind in kinds if isinstance(value, of)), None)


def _values(fields: Fields, kind: Kind) -> tuple[Any, ...]:
    values = fields.sequence("enumValues")
    if "enumValues" not in fields:
        return ()
    if kind not in _OF_KIND:
        fields.wrong("enumValues", f"cannot limit kind {kind}")
    elif not 0 < len(values) <= LIMITS.values:
        fields.wrong("enumValues", f"must hold 1 to {LIMITS.values} values")
    elif not all(isinstance(value, _OF_KIND[kind]) and not isinstance(value, bool) for value in values):
        fields.wrong("enumValues", f"must hold values of kind {kind}: put texts in quotes")
    elif len(set(values)) != len(values):
        fields.wrong("enumValues", "holds a value twice")
    elif any(isinstance(value, str) and len(value) > LIMITS.value_chars for value in values):
        fields.wrong("enumValues", f"holds a value of more than {LIMITS.value_chars} characters")
    else:
        return tuple(values)
    return ()
