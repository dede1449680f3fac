"""The template engine, held to the limits of one rendering.

Invariants
- The engine is given only source that was written anew from checked words (`gateway.prompt.template.program`), and no loader.
- Its fuel pays for instructions and for text that it makes; the account's callback on every output pays for what is written,
  and looks at the clock, because comparing large values costs no fuel.
- What the engine says of a failure quotes values; nobody is told. Where it lies is for the operator's log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from minijinja import Environment, TemplateError

from gateway.prompt.template.account import PLAIN, Account, RenderFailed, missing, too_much, unfit
from gateway.prompt.template.layout import Program
from gateway.prompt.template.limits import RenderLimits

_NAME = "prompt"
_REMOVED = ("cycler", "debug", "dict", "joiner", "namespace")
_FAULTS = (RuntimeError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the methods of plain values raise."""


class Extent(NamedTuple):
    """How large values are: `size` in bytes of JSON, and at most so many `items` of lists and fields of objects."""

    size: int
    items: int


def extent_of(values: Mapping[str, Any]) -> Extent:
    """Measure values; raises `RenderFailed` for what JSON does not have."""
    try:
        encoded = orjson.dumps(values, option=PLAIN)
    except TypeError:
        raise unfit("no JSON") from None
    return Extent(len(encoded), encoded.count(b",") + 1)


def syntax_fault(expression: str) -> str | None:
    """Return what the engine has against an expression, or None."""
    try:
        Environment().undeclared_variables_in_str(f"{{{{ {expression} }}}}")
    except TemplateError as error:
        return error.detail or error.kind
    return None


class Engine:
    """Renders one program, one rendering at a time: each thread needs its own.

    Raises `minijinja.TemplateError` where the engine does not take the program.
    """

    def __init__(self, program: Program, limits: RenderLimits) -> None:
        self._lines = program.lines
        self._limits = limits
        self._fuel = limits.fuel
        self._account = Account(limits)
        self._environment = Environment(
            fuel=self._fuel,
            undefined_behavior="strict",
            auto_escape_callback=lambda _: False,
            keep_trailing_newline=True,
            finalizer=self._account.write,
            filters=self._account.filters(),
            globals={"range": self._account.range},
        )
        for name in _REMOVED:
            self._environment.remove_global(name)
        self._environment.add_template(_NAME, program.source)

    def render(self, values: Mapping[str, Any], extent: Extent) -> str:
        """Return what the program writes of values of that extent; raises `RenderFailed`."""
        limits = self._limits
        needed = extent.size // limits.bytes_per_fuel + extent.items * limits.fuel_per_item
        # in powers of two, because the engine must be set anew for another fuel
        fuel = limits.fuel + min(1 << needed.bit_length(), limits.fuel_by_extent)
        if fuel != self._fuel:
            self._environment.fuel = self._fuel = fuel
        self._account.open(extent.size)
        try:
            return self._environment.render_template(_NAME, **values)
        except TemplateError as error:
            raise self._failure(error) from None
        except _FAULTS as error:
            raise unfit(type(error).__name__) from None

    def _failure(self, error: TemplateError) -> RenderFailed:
        line = self._lines[min(max(error.line or 1, 1), len(self._lines)) - 1]
        failure = {"UndefinedError": missing(), "OutOfFuel": too_much("fuel")}.get(error.kind) or unfit(error.kind)
        failure.reason += f" at line {line} of the body"
        return failure
