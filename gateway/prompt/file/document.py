"""The YAML of a front matter as plain values, with the line of every key and item.

Invariants
- Scalars are read by the core schema of YAML 1.2, which is JSON's: `yes` and `2026-01-31` are texts, `010` is ten. There are no
  merge keys and no tags: nothing in a file names a type to be made.
- What comes out is JSON: finite numbers of 64 bits, keys that are texts, no key twice.
- The work is bounded by `FileLimits`, an alias counted with all that it stands for.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import Problem, PromptInvalid, Severity
from gateway.prompt.file.text import CONTROL
from gateway.settings.keys import dotted

Path = tuple[str | int, ...]
"""A way through a document: keys of mappings and positions in lists."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGERS: tuple[tuple[re.Pattern[str], int, int], ...] = (
    (re.compile(r"[-+]?[0-9]+"), 0, 10),
    (re.compile(r"0o[0-7]+"), 2, 8),
    (re.compile(r"0x[0-9a-fA-F]+"), 2, 16),
)
_MOST_DIGITS = 80
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MISLEADING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a key, which is printed where something is wrong with it, shall not hold: ends of lines, escapes, turns of direction."""
_ONCE_BOOLEAN = frozenset({"yes", "no", "on", "off"})
"""Booleans to a reader of YAML 1.1, texts to us and to a reader of YAML 1.2."""


@dataclass(frozen=True, slots=True)
class Document:
    """A front matter. `lines` are lines of the file: a key's for what stands under a key, an item's own for an item.

    `problems` are what does not keep the rest from being read, such as a key that is given twice; warnings too.
    """

    value: dict[str, Any]
    lines: Mapping[Path, int]
    problems: tuple[Problem, ...] = ()

    def line(self, path: Path) -> int:
        """Return the line of a key or item, or of the nearest that there is around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_document(file: str, text: str, *, first_line: int) -> Document:
    """Read YAML whose first line is `first_line` of `file`; raises `PromptInvalid` where nothing can be made of it."""
    reader = _Reader(file, text, first_line)
    try:
        value = reader.read(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        raise PromptInvalid([reader.broken(error)]) from None
    return Document(value, reader.lines, tuple(reader.problems))


class _Reader:
    """Makes values of the parser's events, one after the other."""

    def __init__(self, file: str, text: str, first_line: int) -> None:
        self._file = file
        self._first = first_line
        self._ends = [found.start() for found in re.finditer("\n", text)]  # the marks' own lines also end at U+2028
        self._left = LIMITS.front_values
        self._aliases = LIMITS.aliases
        self._anchors: dict[str, Any] = {}
        self._open: set[str] = set()
        self.lines: dict[Path, int] = {(): first_line}
        self.problems: list[Problem] = []

    def read(self, events: Iterator[Any]) -> dict[str, Any]:
        """Return the mapping that the events describe; an empty document is an empty mapping."""
        value: Any = {}
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                value = self._value(event, (), events)
                if value is None:
                    value = {}
        if not isinstance(value, dict):
            raise PromptInvalid([Problem(self._file, self._first, "the front matter must be a mapping of keys to values")])
        return value

    def problem(self, index: int, text: str, severity: Severity = "error") -> Problem:
        """Return a problem at a position of the text."""
        return Problem(self._file, self._line(index), text, severity)

    def broken(self, error: yaml.MarkedYAMLError) -> Problem:
        """Return what the parser raised as a problem; where the thing that is broken begins helps more than where it ends."""
        said = error.problem or "it cannot be read"
        if error.context_mark is not None:
            said += f" {error.context} that begins in line {self._line(error.context_mark.index)}"
        mark = error.problem_mark or error.context_mark
        return self.problem(0 if mark is None else mark.index, f"is not YAML: {said}")

    def _line(self, index: int) -> int:
        return self._first + bisect_right(self._ends, index - 1)

    def _note(self, event: Any, text: str, severity: Severity = "error") -> None:
        self.problems.append(self.problem(event.start_mark.index, text, severity))

    def _fatal(self, event: Any, text: str) -> PromptInvalid:
        return PromptInvalid([self.problem(event.start_mark.index, text)])

    def _value(self, event: Any, path: Path, events: Iterator[Any]) -> Any:
        self._spend(event, 1, len(path))
        self.lines.setdefault(path, self._line(event.start_mark.index))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.tag is not None:
            self._note(event, f"{_place(path)} has a tag of YAML: write plain values")
        if event.anchor is not None:
            self._open.add(event.anchor)
        value = self._made(event, path, events)
        if event.anchor is not None:
            self._open.discard(event.anchor)
            self._anchors[event.anchor] = value
        return value

    def _made(self, event: Any, path: Path, events: Iterator[Any]) -> Any:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, events)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, events)
        if CONTROL.search(event.value):  # by an escape: the text itself has none
            self._note(event, f"{_place(path)} holds a control character")
            return ""
        return event.value if event.style or event.tag is not None else self._plain(event, path)

    def _mapping(self, path: Path, events: Iterator[Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = self._line(event.start_mark.index)
            if not isinstance(event, yaml.ScalarEvent):
                raise self._fatal(event, f"{_place(path)} has a key that is no text")
            if _MISLEADING.search(event.value) or len(event.value) > LIMITS.key_chars:
                raise self._fatal(event, f"{_place(path)} has a key that is too long, or that would mislead who sees it printed")
            below = (*path, event.value)
            if event.value in found:
                self._note(event, f"{_place(below)} is given twice: it stands in line {self.lines[below]} already")
            self.lines.setdefault(below, line)
            found[event.value] = self._value(next(events), below, events)
        return found

    def _sequence(self, path: Path, events: Iterator[Any]) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._value(event, (*path, len(found)), events))
        return found

    def _alias(self, event: Any, path: Path) -> Any:
        self._aliases -= 1
        if self._aliases < 0:
            raise self._fatal(event, f"the front matter has more than {LIMITS.aliases} aliases: write it out")
        if event.anchor in self._open or event.anchor not in self._anchors:
            raise self._fatal(event, f"{_place(path)} is an alias of something that does not end before it")
        value = self._anchors[event.anchor]
        size, depth = _measured(value)
        self._spend(event, size, len(path) + depth)
        return value

    def _spend(self, event: Any, size: int, depth: int) -> None:
        self._left -= size
        if self._left < 0:
            text = f"the front matter has more than {LIMITS.front_values} values"
        elif depth > LIMITS.front_depth:
            text = f"the front matter is nested deeper than {LIMITS.front_depth}"
        else:
            return
        raise self._fatal(event, text)

    def _plain(self, event: Any, path: Path) -> Any:
        text: str = event.value
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        number = _number(text)
        if number is None:
            if text.lower() in _ONCE_BOOLEAN:
                self._note(event, f'{_place(path)} is the text "{text}": write true or false, or put it in quotes', "warning")
            return text
        if not math.isfinite(number):
            self._note(event, f"{_place(path)} is no number that JSON knows")
        elif type(number) is int and not -(2**63) <= number < 2**64:
            self._note(event, f"{_place(path)} is a number of more than 64 bits")
        else:
            return number
        return 0


def _number(text: str) -> float | None:
    """Return the number that a plain scalar is, infinite where it is not finite or too long; None where it is a text."""
    for pattern, skipped, base in _INTEGERS:
        if pattern.fullmatch(text):
            return int(text[skipped:], base) if len(text) <= _MOST_DIGITS else math.inf
    if _FLOAT.fullmatch(text):
        return float(text)
    return math.inf if _NOT_FINITE.fullmatch(text) else None


def _measured(value: Any) -> tuple[int, int]:
    """Return how many values there are in a value, and how deep it is, 0 for a scalar."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    sizes = [_measured(one) for one in inner]
    return 1 + sum(size for size, _ in sizes), max((depth + 1 for _, depth in sizes), default=0)


def _place(path: Path) -> str:
    return dotted(path) if path else "the front matter"


def walk(value: Any, visit: Callable[[str, Path], None], path: Path = ()) -> None:
    """Call `visit` with every text and every key of a document, and where it stands."""
    if isinstance(value, str):
        visit(value, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            visit(key, (*path, key))
            walk(inner, visit, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            walk(inner, visit, (*path, place))
