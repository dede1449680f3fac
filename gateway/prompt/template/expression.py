"""Expressions of a template, checked word by word before the engine sees them.

Invariants
- Called are only listed filters, tests and methods, and `range`. A method can change nothing and make nothing large.
- Read are only variables that exist and fields of the values: never a name that begins with an underscore, nor one that Python
  itself gives an object.
- Nothing that the engine cannot bound: no repetition (`*`), no variable in which the values stand more than
  `RenderLimits.copies` times.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from gateway.prompt.template.filters import FILTERS, METHODS, TESTS, Argument, Arguments, is_field
from gateway.prompt.template.findings import Findings
from gateway.prompt.template.limits import RenderLimits
from gateway.prompt.template.pieces import Token
from gateway.prompt.template.scope import Scope

Bracket = Literal["call", "group", "list", "dict", "index"]

GIVEN = "_given"
"""The engine's own filter that refuses what is missing, put before those that would take it for something empty."""
STRICT = frozenset(["count", "e", "escape", "indent", "length", "lines", "list", "split", "tojson", "truncate"])
FUNCTIONS = frozenset(["range"])
CONSTANTS = frozenset(["true", "false", "none", "True", "False", "None"])
OPERATORS = frozenset(["and", "or", "not", "in", "is", "if", "else"])
RESERVED = CONSTANTS | OPERATORS | FUNCTIONS | {"loop", "self", "super", "caller", "recursive"}

_COUNTERS = frozenset(["length", "count"])
_BINDING = frozenset(["+", "-", "~", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "in"])
_CLOSING = {")": ("call", "group"), "]": ("index", "list"), "}": ("dict",)}


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: as the engine is given it, and how often the text of the values may stand in its result."""

    source: str
    copies: int


@dataclass(frozen=True, slots=True)
class Reader:
    """Checks the expressions of one body. `threads` are the inputs that a condition may test and nothing else may read."""

    scope: Scope
    threads: AbstractSet[str]
    findings: Findings
    limits: RenderLimits

    def read(self, tokens: Sequence[Token], line: int, *, condition: bool = False) -> Expression:
        """Return a checked expression; what is wrong is noted, and the expression is then good for nothing but going on."""
        if not tokens:
            self.findings.add(line, "an expression is missing")
            return Expression("none", 0)
        check = _Check(self, tokens, condition=condition)
        check.run()
        if check.copies > self.limits.copies:
            self.findings.add(line, f"the values may stand in this expression more than {self.limits.copies} times")
        return Expression(check.source(), check.copies)


class _Check:
    """One walk over the tokens of one expression."""

    def __init__(self, reader: Reader, tokens: Sequence[Token], *, condition: bool) -> None:
        self._reader = reader
        self._tokens = tokens
        self._condition = condition
        self._brackets: list[Bracket] = []
        self._callable: set[int] = set()
        """Tokens that a call may follow."""
        self._tests: set[int] = set()
        self._strict: set[int] = set()
        """Filters that are led by `GIVEN`."""
        self.copies = 0

    def run(self) -> None:
        for index, token in enumerate(self._tokens):
            if self._brackets and self._brackets[-1] == "index":
                self._in_index(token)
            if token.kind == "name":
                self._name(index, token)
            elif token.kind == "mark":
                self._mark(index, token)
        if self._brackets:
            self._refuse(self._tokens[-1], "a bracket is not closed")

    def source(self) -> str:
        words: list[str] = []
        for index, token in enumerate(self._tokens):
            if index in self._strict:
                words += [GIVEN, "|"]
            words.append(token.source())
        return " ".join(words)

    def _refuse(self, token: Token, text: str) -> None:
        self._reader.findings.add(token.line, text)

    def _at(self, index: int) -> str:
        """Return the text of a token that is no quoted text, or nothing."""
        inside = 0 <= index < len(self._tokens) and self._tokens[index].kind != "string"
        return self._tokens[index].text if inside else ""

    def _is_operand(self, index: int) -> bool:
        """Tell whether a value ends with this token."""
        if index < 0:
            return False
        token = self._tokens[index]
        if token.kind == "mark":
            return token.text in _CLOSING
        return token.kind != "name" or token.text not in OPERATORS or self._at(index - 1) == "."

    # names

    def _name(self, index: int, token: Token) -> None:
        before = self._at(index - 1)
        if before == ".":
            self._attribute(index, token)
        elif before == "|":
            self._filter(index, token)
        elif (before == "is" and token.text != "not") or (before == "not" and self._at(index - 2) == "is"):
            self._test(index, token)
        elif token.text in OPERATORS:
            self._operator(index, token)
        elif token.text in CONSTANTS:
            return
        elif self._at(index + 1) == "=":
            if self._brackets[-1:] != ["call"] or token.text.startswith("_"):
                self._refuse(token, f"unexpected '{token.text} ='")
        else:
            self._variable(index, token)

    def _operator(self, index: int, token: Token) -> None:
        """Refuse an operator where the engine would take it for the name of a variable."""
        before = self._at(index - 1)
        signed = token.text == "not" and before in _BINDING
        tested = token.text in {"in", "if", "not"} and index - 1 in self._tests
        if signed or tested:
            self._refuse(token, f"put brackets around what stands {'before' if tested else 'behind'} {token.text!r}")

    def _attribute(self, index: int, token: Token) -> None:
        if self._at(index + 1) == "(":
            self._callable.add(index)
            if token.text == "cycle" and self._at(index - 2) == "loop":
                return
            if token.text not in METHODS:
                self._refuse(token, f"unknown method {token.text!r}; known are {', '.join(sorted(METHODS))}")
        elif not is_field(token.text):
            self._refuse(token, _no_field(token.text))

    def _filter(self, index: int, token: Token) -> None:
        self._callable.add(index)
        rule = FILTERS.get(token.text)
        if rule is None:
            self._refuse(token, f"unknown filter {token.text!r}; known are {', '.join(sorted(FILTERS))}")
            return
        if token.text in STRICT:
            self._strict.add(index)
        if fault := rule(Arguments.of(self._arguments(index + 1))):
            self._refuse(token, f"the filter {token.text!r} {fault}")

    def _test(self, index: int, token: Token) -> None:
        self._callable.add(index)
        self._tests.add(index)
        if token.text not in TESTS:
            self._refuse(token, f"unknown test {token.text!r}; known are {', '.join(sorted(TESTS))}")

    def _variable(self, index: int, token: Token) -> None:
        name = token.text
        if name in FUNCTIONS:
            self._callable.add(index)
            if self._at(index + 1) != "(":
                self._refuse(token, f"{name!r} is a function: {name}(…)")
            return
        copies = self._reader.scope.read(name)
        if copies is None:
            near = difflib.get_close_matches(name, self._reader.scope.names(), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self._refuse(token, f"{name!r} is not declared under inputs{hint}")
        elif name in self._reader.threads:
            self._thread(index, token)
        self.copies += copies or 0

    def _thread(self, index: int, token: Token) -> None:
        behind = self._at(index + 1)
        counted = behind == "|" and self._at(index + 2) in _COUNTERS
        if not self._condition or not (counted or behind not in {".", "[", "|"}):
            self._refuse(token, f"{token.text!r} is a thread: it stands alone on a line, or in a condition by itself")

    # marks

    def _mark(self, index: int, token: Token) -> None:
        match token.text:
            case "*" | "**":
                self._refuse(token, f"'{token.text}' is not available: it can repeat text and lists without end")
            case "(" | "[" | "{":
                self._open(index, token)
            case ")" | "]" | "}":
                if not self._brackets or self._brackets.pop() not in _CLOSING[token.text]:
                    self._refuse(token, f"unexpected '{token.text}'")
            case "." | "|":
                named = index + 1 < len(self._tokens) and self._tokens[index + 1].kind == "name"
                # the engine takes a dot behind a filter or test for a part of its name
                dotted = token.text == "." and index - 1 in self._callable
                if not named or dotted or not self._is_operand(index - 1):
                    self._refuse(token, f"unexpected '{token.text}'")
            case "=":
                if index == 0 or self._tokens[index - 1].kind != "name":
                    self._refuse(token, "unexpected '='; a comparison is written '=='")

    def _open(self, index: int, token: Token) -> None:
        kind: Bracket
        if token.text == "(":
            called = index - 1 in self._callable
            if not called and self._is_operand(index - 1):
                self._refuse(token, "only filters, tests, range and the known methods can be called")
            kind = "call" if called else "group"
        elif token.text == "[":
            kind = "index" if self._is_operand(index - 1) else "list"
        else:
            kind = "dict"
        self._brackets.append(kind)
        if len(self._brackets) == self._reader.limits.brackets + 1:
            self._refuse(token, f"more than {self._reader.limits.brackets} brackets inside each other")

    def _in_index(self, token: Token) -> None:
        if token.kind == "string":
            if not is_field(token.text):
                self._refuse(token, _no_field(token.text))
        elif token.kind == "name" or (token.kind == "mark" and token.text not in {"]", ":", "-"}):
            self._refuse(token, "an index is a number or a quoted name; with a variable write .get(variable)")

    # arguments

    def _arguments(self, start: int) -> list[Argument]:
        """Return the arguments of the call that begins here, if one does."""
        arguments: list[list[Token]] = [[]]
        depth = 0
        for token in self._tokens[start:]:
            opens = token.kind == "mark" and token.text in {"(", "[", "{"}
            closes = token.kind == "mark" and token.text in _CLOSING
            if (depth == 0 and not (opens and token.text == "(")) or (depth == 1 and closes):
                break
            if depth == 1 and token.kind == "mark" and token.text == ",":
                arguments.append([])
            elif depth:
                arguments[-1].append(token)
            depth += opens - closes
        return [_argument(tokens) for tokens in arguments if tokens]


def _no_field(name: str) -> str:
    instead = "" if name.startswith("_") else f'; write .get("{name}")'
    return f"{name!r} cannot be read as a field{instead}"


def _argument(tokens: list[Token]) -> Argument:
    if len(tokens) > 1 and tokens[0].kind == "name" and tokens[1].kind == "mark" and tokens[1].text == "=":
        return Argument(tokens[0].text, tuple(tokens[2:]))
    return Argument(None, tuple(tokens))
