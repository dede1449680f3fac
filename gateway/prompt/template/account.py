"""What one rendering may still cost, and the filters that the engine leaves to us."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.errors import InvalidRequest
from gateway.prompt.template.expression import GIVEN
from gateway.prompt.template.limits import RenderLimits

PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
"""JSON of plain values only: nothing that has methods of its own."""

_TICKS = 64
"""Outputs between two looks at the clock."""
_NUMBER_CHARS = 8
"""What a number is taken for. The rare longer one is paid for in fuel."""


class RenderFailed(InvalidRequest):
    """The values do not go through the template; `reason` names kind and place of the fault, never a value."""

    default_code = "prompt_variables_invalid"

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message, param="/prompt/variables", reason=reason)


def missing() -> RenderFailed:
    """Return the failure of a value that is not there."""
    return RenderFailed("The prompt needs a part of its variables that is not there.", reason="missing")


def too_much(reason: str) -> RenderFailed:
    """Return the failure of a rendering that would cost too much."""
    return RenderFailed("The variables make the prompt too large or too slow to render.", reason=reason)


def unfit(reason: str) -> RenderFailed:
    """Return the failure of values that a template cannot do with them what it should."""
    return RenderFailed("The prompt cannot be rendered with these variables.", reason=reason)


class Account:
    """Pays for the outputs of one rendering at a time. It refers to no engine, so that an engine can refer to it."""

    def __init__(self, limits: RenderLimits) -> None:
        self._limits = limits
        self._chars = self._ticks = self._size = 0
        self._began: float | None = None

    def open(self, size: int) -> None:
        """Begin a rendering of values that are `size` bytes of JSON."""
        self._chars = self._limits.output_chars + self._limits.output_share * size
        self._ticks = _TICKS
        self._size = size
        self._began = None

    def write(self, value: Any) -> Any:
        """Pay for one output, and refuse what is no text; null writes nothing. The engine then writes the value itself."""
        if type(value) is str:
            self._chars = left = self._chars - len(value)
            self._ticks = ticks = self._ticks - 1
            if left < 0 or ticks < 0:
                self._check()
            return NotImplemented
        if value is None:
            return ""
        if not isinstance(value, (str, int, float)):
            raise RenderFailed("The prompt writes an object or a list where text belongs.", reason="no text")
        self._chars -= len(value) if isinstance(value, str) else _NUMBER_CHARS
        self._ticks -= 1
        if self._chars < 0 or self._ticks < 0:
            self._check()
        return NotImplemented

    def _check(self) -> None:
        if self._chars < 0:
            raise too_much("output")
        self._ticks = _TICKS
        now = time.thread_time()
        if self._began is None:
            self._began = now
        elif now - self._began > self._limits.cpu_seconds + self._limits.cpu_seconds_per_byte * self._size:
            raise too_much("time")

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """Return the filters that stand in for the engine's own, which are without limits or let missing values pass."""
        return {GIVEN: _given, "tojson": _to_json, "list": _to_list, "split": self._split, "lines": self._lines}

    def range(self, start: int, stop: int | None = None, step: int = 1) -> list[int]:
        """Return the numbers from `start` to before `stop`, or from 0 to before `start`."""
        numbers = range(start) if stop is None else range(start, stop, step)
        if len(numbers) > self._limits.range_items:
            raise too_much("range")
        return list(numbers)

    def _split(self, value: str, separator: str | None = None) -> list[str]:
        most = self._limits.split_items
        parts = value.split(separator, most)
        if len(parts) > most:
            raise too_much("split")
        return parts

    def _lines(self, value: str) -> list[str]:
        return self._split(value.replace("\r\n", "\n").removesuffix("\n"), "\n") if value else []


def _given(value: Any) -> Any:
    """Refuse what is missing, and null with it: they are the same to a callback."""
    if value is None:
        raise missing()
    return value


def _to_list(value: Any) -> list[Any]:
    if isinstance(value, str):
        raise unfit("list of a text")
    return list(value)


def _to_json(value: Any, indent: int = 0) -> str:
    """Write JSON as it is, not as HTML would have it; an indent is always two spaces."""
    return orjson.dumps(value, option=PLAIN | (orjson.OPT_INDENT_2 if indent else 0)).decode()
