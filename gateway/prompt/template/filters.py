"""The filters, tests and methods that a template may use, and what their arguments must be.

What is not listed is refused when the prompt is loaded. Left out are those that the engine cannot bound (`batch`, `slice`,
`wordwrap`, `format`), that reach into objects by a computed name (`attr`), and that only make sense in HTML. Arguments that
decide how much text a filter makes, or which field it reads, are constants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.prompt.template.pieces import Token

MOST_INDENT = 32
MOST_JSON_INDENT = 8

# fmt: off
TESTS = frozenset([
    "boolean", "defined", "divisibleby", "endingwith", "eq", "equalto", "even", "false", "float", "ge", "gt", "in", "integer",
    "iterable", "le", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sequence", "startingwith", "string", "true",
    "undefined", "upper",
])
METHODS = frozenset([
    "capitalize", "endswith", "get", "items", "keys", "lower", "lstrip", "rstrip", "startswith", "strip", "title", "upper",
    "values",
])
# fmt: on
DICT_ATTRIBUTES = frozenset(name for name in dir(dict) if not name.startswith("_"))
"""Where an object lacks such a field, the engine would hand out Python's own method of that name."""

# fmt: off
_MAPPED = frozenset([
    "abs", "capitalize", "first", "float", "int", "last", "lower", "round", "string", "title", "trim", "upper",
])
# fmt: on
_SCANNING = frozenset(["in"])  # for every item a look through all of another list
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*(?:\.[A-Za-z0-9][A-Za-z0-9_]*)*")

Constant: TypeAlias = str | int | float | bool | None
Rule: TypeAlias = Callable[["Arguments"], str | None]
"""Returns what is wrong with the arguments, or None."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call; `key` is None where it is given by its place."""

    key: str | None
    tokens: tuple[Token, ...]

    @property
    def is_constant(self) -> bool:
        """Whether it is one quoted text, number, true, false or none."""
        return len(self.tokens) == 1 and (self.tokens[0].kind != "name" or self.tokens[0].text.lower() in _CONSTANTS)

    def constant(self) -> Constant:
        """Return the value of a constant."""
        token = self.tokens[0]
        if token.kind == "string":
            return token.text
        if token.kind == "number":
            return float(token.text) if "." in token.text else int(token.text)
        return _CONSTANTS[token.text.lower()]


_CONSTANTS: Mapping[str, bool | None] = {"true": True, "false": False, "none": None}


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a call, by place and by name."""

    placed: tuple[Argument, ...]
    named: Mapping[str, Argument]

    @classmethod
    def of(cls, arguments: Sequence[Argument]) -> Arguments:
        """Sort arguments; of two of the same name the last counts, as in the engine."""
        placed = tuple(argument for argument in arguments if argument.key is None)
        return cls(placed, {argument.key: argument for argument in arguments if argument.key is not None})


def is_field(name: str) -> bool:
    """Tell whether a quoted or dotted name is that of a field of the values, and of nothing else that an object has."""
    return not name.startswith("_") and name not in DICT_ATTRIBUTES


def _is_path(argument: Argument) -> bool:
    value = argument.constant() if argument.is_constant else None
    return isinstance(value, str) and bool(_PATH.fullmatch(value)) and all(map(is_field, value.split(".")))


def _is_size(argument: Argument, most: int) -> bool:
    value = argument.constant() if argument.is_constant else None
    return type(value) is int and value <= most


def _is_test(argument: Argument) -> bool:
    value = argument.constant() if argument.is_constant else None
    return value in TESTS and value not in _SCANNING


def _nothing(given: Arguments) -> str | None:
    return "takes no arguments" if given.placed or given.named else None


def _anything(_: Arguments) -> str | None:
    return None


def _options(*, placed: int = 0, names: Sequence[str] = ()) -> Rule:
    """Make a rule: up to `placed` constants by place and `names` by name; `attribute` is the name of a field."""

    def rule(given: Arguments) -> str | None:
        if len(given.placed) > placed:
            return f"takes {placed} arguments by place; the others are {', '.join(names)}, by name"
        for name, argument in given.named.items():
            if name not in names:
                return f"has no argument {name!r}"
            if name == "attribute" and not _is_path(argument):
                return "reads an attribute that is the quoted name of a field"
        if not all(argument.is_constant for argument in (*given.placed, *given.named.values())):
            return "takes constants only"
        return None

    return rule


def _sized(name: str, *, most: int, names: Sequence[str]) -> Rule:
    """Make a rule: a whole number up to `most`, by place or under `name`, beside other constants."""
    options = _options(placed=1, names=names)

    def rule(given: Arguments) -> str | None:
        sizes = [*given.placed, *(argument for key, argument in given.named.items() if key == name)]
        if not all(_is_size(argument, most) for argument in sizes):
            return f"takes a whole number as {name}, at most {most}"
        return options(given)

    return rule


def _map(given: Arguments) -> str | None:
    if "attribute" in given.named:
        return _options(names=("attribute", "default"))(given)
    names = [argument.constant() for argument in given.placed if argument.is_constant]
    if given.named or len(given.placed) != 1 or not names or names[0] not in _MAPPED:
        return f'takes attribute="field", or one of {", ".join(sorted(_MAPPED))}, quoted'
    return None


def _select(given: Arguments) -> str | None:
    if given.named or (given.placed and not _is_test(given.placed[0])):
        return "takes the quoted name of a test first, and not 'in'"
    return None


def _select_by_field(given: Arguments) -> str | None:
    if given.named or not given.placed or not _is_path(given.placed[0]):
        return "takes the quoted name of a field first"
    return _select(Arguments(given.placed[1:], {}))


def _join(given: Arguments) -> str | None:
    if "attribute" in given.named and not _is_path(given.named["attribute"]):
        return "reads an attribute that is the quoted name of a field"
    return None


def _group(given: Arguments) -> str | None:
    if given.named or len(given.placed) != 1 or not _is_path(given.placed[0]):
        return "takes the quoted name of a field"
    return None


FILTERS: Mapping[str, Rule] = {
    "abs": _nothing,
    "bool": _nothing,
    "capitalize": _nothing,
    "count": _nothing,
    "d": _anything,
    "default": _anything,
    "dictsort": _options(names=("by", "case_sensitive", "reverse")),
    "e": _nothing,
    "escape": _nothing,
    "first": _nothing,
    "float": _options(placed=1, names=("default",)),
    "groupby": _group,
    "indent": _sized("width", most=MOST_INDENT, names=("width", "first", "blank")),
    "int": _options(placed=1, names=("default",)),
    "items": _nothing,
    "join": _join,
    "last": _nothing,
    "length": _nothing,
    "lines": _nothing,
    "list": _nothing,
    "lower": _nothing,
    "map": _map,
    "max": _nothing,
    "min": _nothing,
    "reject": _select,
    "rejectattr": _select_by_field,
    "replace": _anything,
    "reverse": _nothing,
    "round": _options(placed=2, names=("precision", "method")),
    "select": _select,
    "selectattr": _select_by_field,
    "sort": _options(names=("attribute", "case_sensitive", "reverse")),
    "split": _anything,
    "string": _nothing,
    "sum": _options(names=("attribute",)),
    "title": _nothing,
    "tojson": _sized("indent", most=MOST_JSON_INDENT, names=("indent",)),
    "trim": _nothing,
    "truncate": _options(names=("length", "killwords", "end", "leeway")),
    "unique": _options(names=("attribute", "case_sensitive")),
    "upper": _nothing,
}
