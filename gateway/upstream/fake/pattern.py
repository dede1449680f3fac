"""One string that a regular expression accepts: always the same, the shortest that its first branches allow.

Covers literals, classes, escapes, groups, alternation and quantifiers. Anchors and word boundaries are taken as met;
back-references and look-around are refused.
"""

from __future__ import annotations

import re

MAX_LENGTH = 65_536
MAX_DEPTH = 64

_quantifier = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_group = re.compile(r"\?(?::|P?<[A-Za-z_]\w*>)")
_classes = {"d": "0", "w": "a", "s": " ", "D": "a", "W": " ", "S": "a", "b": "", "B": "", "A": "", "Z": ""}
_kinds = {r"\d", r"\w", r"\s", r"\D", r"\W", r"\S"}
_controls = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_hex = {"x": 2, "u": 4}
_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. "


class PatternError(Exception):
    """No string is made for this pattern; the message says why."""


def sample(pattern: str) -> str:
    """Return a string that `pattern` accepts; raises `PatternError`."""
    reader = _Reader(pattern)
    result = reader.alternatives()
    if reader.at < len(pattern):
        raise PatternError(f"unbalanced parenthesis at position {reader.at}")
    return result


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0

    def alternatives(self) -> str:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise PatternError("groups are nested too deep")
        first = self._sequence()
        while self._eat("|"):
            self._sequence()
        self.depth -= 1
        return first

    def _sequence(self) -> str:
        made: list[str] = []
        size = 0
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            piece = self._repeated(self._atom())
            size += len(piece)
            if size > MAX_LENGTH:
                raise PatternError("the string would be too long")
            made.append(piece)
        return "".join(made)

    def _repeated(self, piece: str) -> str:
        if self._eat("?") or self._eat("*"):
            times = 0
        elif self._eat("+"):
            times = 1
        elif found := _quantifier.match(self.pattern, self.at):
            self.at = found.end()
            times = int(found.group(1)[:6])
        else:
            return piece
        # A lazy or possessive mark changes nothing for the shortest string.
        _ = self._eat("?") or self._eat("+")
        if len(piece) * times > MAX_LENGTH:
            raise PatternError("the string would be too long")
        return piece * times

    def _atom(self) -> str:
        char = self._next()
        if char == "(":
            return self._grouped()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char in "*+?":
            raise PatternError(f"nothing to repeat at position {self.at - 1}")
        if char in "^$":
            return ""
        return "a" if char == "." else char

    def _grouped(self) -> str:
        if found := _group.match(self.pattern, self.at):
            self.at = found.end()
        elif self.pattern.startswith("?", self.at):
            raise PatternError("look-around and flags are not supported")
        result = self.alternatives()
        if not self._eat(")"):
            raise PatternError("The parenthesis is not closed.")
        return result

    def _escape(self) -> str:
        char = self._next()
        if char in _hex:
            return self._code(_hex[char])
        if char in _controls:
            return _controls[char]
        if char in _classes:
            return _classes[char]
        if char.isalnum():
            raise PatternError(f"the escape \\{char} is not supported")
        return char

    def _code(self, digits: int) -> str:
        code = self.pattern[self.at : self.at + digits]
        self.at += digits
        try:
            return chr(int(code, 16))
        except ValueError as error:
            raise PatternError("a character code that is not hexadecimal") from error

    def _class(self) -> str:
        negated = self._eat("^")
        allowed: set[str] = set()
        first = ""
        start = self.at
        while not (self.at > start and self._eat("]")):
            low, members = self._members()
            first = first or low
            allowed |= members
        if not negated:
            return first
        choice = next((char for char in _letters if char not in allowed), None)
        if choice is None:
            raise PatternError("a class that allows no simple character")
        return choice

    def _members(self) -> tuple[str, set[str]]:
        """Return the first character of a class's next member, and which simple characters the member allows."""
        kind = self.pattern[self.at : self.at + 2]
        low = high = self._member()
        if kind in _kinds:
            return low, {char for char in _letters if re.fullmatch(kind, char)}
        if self.pattern.startswith("-", self.at) and not self.pattern.startswith("-]", self.at):
            self.at += 1
            high = self._member()
            if high < low:
                raise PatternError("a range that ends before it starts")
        return low, {char for char in _letters if low <= char <= high}

    def _member(self) -> str:
        char = self._next()
        return self._escape() if char == "\\" else char

    def _next(self) -> str:
        if self.at >= len(self.pattern):
            raise PatternError("the pattern ends too early")
        self.at += 1
        return self.pattern[self.at - 1]

    def _eat(self, char: str) -> bool:
        found = self.pattern.startswith(char, self.at)
        self.at += found
        return found
