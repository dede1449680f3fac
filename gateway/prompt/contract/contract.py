"""A prompt's contract with its callers: which variables it takes, checked without coercion.

Invariants
- A value is passed on as it came, or refused: nothing is converted, `1.0` is no integer, `true` no number, null is refused unless
  the input is nullable. Defaults stand in for absent keys only.
- An error holds declared names, positions and what was expected, never a value nor a name that is not declared.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from gateway.errors import InvalidRequest
from gateway.prompt.contract.tolerance import tolerated
from gateway.prompt.contract.violation import UNKNOWN, DriftKind, Shape, Violation
from gateway.prompt.file.frontmatter import FrontMatter, Mode
from gateway.prompt.file.schema import input_schema

_VARIABLES: Final = "/prompt/variables"


@dataclass(frozen=True, slots=True)
class Drift:
    """One way in which variables differ from the contract; `input` is "" for an undeclared name, never a caller's text."""

    input: str
    kind: DriftKind


@dataclass(frozen=True, slots=True)
class Admitted:
    """Variables as a template may see them; `drift` is empty unless the contract's mode is shadow.

    An optional input that the caller left out is not among `values`.
    """

    values: dict[str, Any]
    drift: tuple[Drift, ...] = ()


class VariablesInvalid(InvalidRequest):
    """The variables do not fit the contract: `param` points at the first that does not; `drift` has each one that does not."""

    default_code = "prompt_variables_invalid"

    def __init__(self, message: str, *, param: str, drift: tuple[Drift, ...] = ()) -> None:
        super().__init__(message, param=param)
        self.drift = drift


class Contract:
    """What a version takes. `schema` is JSON Schema 2020-12; `threads` are the inputs that hold messages. Immutable."""

    __slots__ = ("_defaults", "_fits", "_nested", "_shape", "mode", "number", "schema", "threads")

    def __init__(self, schema: dict[str, Any], *, mode: Mode = "enforce", threads: frozenset[str] = frozenset()) -> None:
        self.number: int = schema["x-contract"]
        self.mode = mode
        self.schema = schema
        self.threads = threads
        self._shape = Shape(schema)
        self._fits = self._shape.fits
        defaults = {name: one["default"] for name, one in schema["properties"].items() if "default" in one}
        # What can be changed is copied for each exchange, so that none sees what another did to it.
        self._nested = {name: value for name, value in defaults.items() if isinstance(value, dict | list)}
        self._defaults = {name: value for name, value in defaults.items() if name not in self._nested}

    def admit(self, variables: Mapping[str, Any]) -> Admitted:
        """Check variables and fill in the defaults of absent ones.

        Raises `VariablesInvalid`. In mode shadow it never does: what is unknown is dropped, what is missing or null without
        being allowed to becomes its default or the empty value of its kind, anything else is passed on as it came.
        """
        if self._fits(variables):
            return Admitted(self._filled(variables))
        violations = list(self._shape.violations(variables))
        drift = tuple(dict.fromkeys(_drift(one) for one in violations))
        if self.mode == "enforce":
            self._refuse(violations[0], drift)
        given = variables if isinstance(variables, dict) else {}
        return Admitted(self._filled(tolerated(self.schema, given)), drift)

    def expected(self, name: str, value: Any) -> str | None:
        """Return what a value of an input must be, as a predicate, or None where it fits."""
        found = self._shape.first(name, value)
        if found is None:
            return None
        return f"{found.must} (at {_pointer(found.path)})" if found.path else found.must

    def _filled(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        values = {**self._defaults, **variables}
        for name, default in self._nested.items():
            if name not in values:
                values[name] = copy.deepcopy(default)
        return values

    def _refuse(self, first: Violation, drift: tuple[Drift, ...]) -> NoReturn:
        place = _VARIABLES + _pointer(first.path)
        raise VariablesInvalid(f"{place} {first.must} (contract {self.number}).", param=place, drift=drift)


def contract_of(front: FrontMatter) -> Contract:
    """Return the contract that a prompt's inputs and limits make."""
    threads = frozenset(one.name for one in front.inputs if one.kind == "thread")
    return Contract(input_schema(front), mode=front.mode, threads=threads)


def _pointer(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{part}" for part in path)  # declared names need no escape


def _drift(violation: Violation) -> Drift:
    first = violation.path[0] if violation.path else UNKNOWN
    return Drift("" if first == UNKNOWN else str(first), violation.kind)
