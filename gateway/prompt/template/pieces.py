"""A prompt's body in pieces: text, and tags as tokens.

Invariants
- Text is what stands between tags, with the whitespace that a tag's `-` takes not yet taken: where a line begins and ends is
  still to be seen. Comments are gone; a `raw` block is text that is marked so.
- What the engine is given is written from these tokens, never copied from the body: what was not understood here is not
  passed on.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.prompt.template.findings import Findings
from gateway.prompt.template.limits import RenderLimits

TokenKind = Literal["name", "number", "string", "mark"]

_OPENER = re.compile(r"\{\{|\{%|\{#")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*([-+]?)%\}")
_END_RAW = re.compile(r"\{%([-+]?)\s*endraw\s*([-+]?)%\}")
_CLOSERS = {"{{": re.compile(r"(-?)\}\}"), "{%": re.compile(r"([-+]?)%\}")}
_RESUME = re.compile(r"\}\}|%\}")
_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(
    r"""(?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?(?![0-9A-Za-z_]))
      | (?P<string>"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')
      | (?P<mark>//|\*\*|==|!=|<=|>=|[-+*/%~|.,:=<>()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def quoted(text: str) -> str:
    """Return a text as the engine is given it: quoted, and on one line."""
    return f'"{text.translate(_QUOTED)}"'


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the template language; `text` is what stands there, of a string its value; `line` is a line of the body."""

    kind: TokenKind
    text: str
    line: int

    def source(self) -> str:
        """Return the token as the engine is given it."""
        return quoted(self.text) if self.kind == "string" else self.text


@dataclass(frozen=True, slots=True)
class Text:
    """Text between tags. `opens_line` and `closes_line` tell whether its ends are ends of lines of the body."""

    text: str
    line: int
    raw: bool
    opens_line: bool
    closes_line: bool
    trim_start: bool
    trim_end: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """An output or a statement; `alone` tells that nothing else stands on its line."""

    kind: Literal["output", "statement"]
    tokens: tuple[Token, ...]
    line: int
    alone: bool


Piece: TypeAlias = Text | Tag


def read_pieces(body: str, findings: Findings, limits: RenderLimits) -> list[Piece]:
    """Cut a body into pieces; what cannot be read is noted in `findings` and left out."""
    if len(body) > limits.body_chars:
        findings.add(0, f"the body has more than {limits.body_chars} characters")
        return []
    return _Reader(body, findings, limits).read()


class _Unreadable(Exception):
    """A tag cannot be read; the reader goes on behind `resume`."""

    def __init__(self, position: int, text: str, resume: int) -> None:
        super().__init__(text)
        self.position = position
        self.text = text
        self.resume = resume


class _Reader:
    def __init__(self, body: str, findings: Findings, limits: RenderLimits) -> None:
        self._body = body
        self._findings = findings
        self._limits = limits
        self._line_ends = [match.start() for match in re.finditer("\n", body)]
        self._pieces: list[Piece] = []
        self._tags = 0
        self._trim = False
        """Whether the tag before takes the whitespace behind it."""

    def read(self) -> list[Piece]:
        position = 0
        while opener := _OPENER.search(self._body, position):
            start = opener.start()
            self._text(position, start, trim_end=self._body.startswith("-", opener.end()))
            try:
                position = self._piece(opener[0], start)
            except _Unreadable as fault:
                self._findings.add(self._line(fault.position), fault.text)
                position = fault.resume
        self._text(position, len(self._body), trim_end=False)
        return self._pieces

    def _line(self, position: int) -> int:
        return bisect.bisect_left(self._line_ends, position) + 1

    def _text(self, start: int, end: int, *, trim_end: bool, raw: bool = False) -> None:
        if start < end:
            body = self._body
            opens = start == 0 or body[start - 1] == "\n"
            closes = end == len(body) or body[end - 1] == "\n"
            text = Text(body[start:end], self._line(start), raw, opens, closes, self._trim, trim_end)
            self._pieces.append(text)

    def _piece(self, opener: str, start: int) -> int:
        """Read what starts here and return where it ends."""
        if opener == "{#":
            return self._comment(start)
        if raw := _RAW.match(self._body, start):
            return self._raw(raw)
        self._tags += 1
        if self._tags > self._limits.tags:
            raise _Unreadable(start, f"the body has more than {self._limits.tags} tags", len(self._body))
        tokens, end, trim = self._tokens(start, opener)
        self._trim = trim
        kind: Literal["output", "statement"] = "output" if opener == "{{" else "statement"
        self._pieces.append(Tag(kind, tokens, self._line(start), self._alone(start, end)))
        return end

    def _comment(self, start: int) -> int:
        end = self._body.find("#}", start + 2)
        if end < 0:
            raise _Unreadable(start, "the comment is not closed: '#}' is missing", len(self._body))
        self._trim = self._body[end - 1] == "-"
        return end + 2

    def _raw(self, opening: re.Match[str]) -> int:
        closing = _END_RAW.search(self._body, opening.end())
        if closing is None:
            raise _Unreadable(opening.start(), "raw is not closed: '{% endraw %}' is missing", len(self._body))
        self._trim = opening[1] == "-"
        self._text(opening.end(), closing.start(), trim_end=closing[1] == "-", raw=True)
        self._trim = closing[2] == "-"
        return closing.end()

    def _alone(self, start: int, end: int) -> bool:
        line_start = self._body.rfind("\n", 0, start) + 1
        line_end = self._body.find("\n", end)
        behind = self._body[end:] if line_end < 0 else self._body[end:line_end]
        return not self._body[line_start:start].strip() and not behind.strip()

    def _tokens(self, start: int, opener: str) -> tuple[tuple[Token, ...], int, bool]:
        """Return the tokens of a tag, where it ends, and whether it takes the whitespace behind it."""
        tokens: list[Token] = []
        braces = quoted = 0
        position = start + 3 if self._body.startswith(("-", "+"), start + 2) else start + 2
        while True:
            position = self._skip(position)
            closing = _CLOSERS[opener].match(self._body, position)
            if closing and not braces:
                return tuple(tokens), closing.end(), closing[1] == "-"
            token = self._token(position, start)
            braces += {"{": 1, "}": -1}.get(token[0], 0)
            if braces < 0:
                raise self._unreadable(position, "unexpected '}'")
            if len(tokens) == self._limits.tokens:
                raise self._unreadable(position, f"the tag has more than {self._limits.tokens} words and signs")
            quoted += len(token["string"] or "")
            if quoted > self._limits.literal_chars:
                raise self._unreadable(position, f"the tag quotes more than {self._limits.literal_chars} characters")
            tokens.append(self._read(token))
            position = token.end()

    def _skip(self, position: int) -> int:
        space = _SPACE.match(self._body, position)
        return space.end() if space else position

    def _token(self, position: int, start: int) -> re.Match[str]:
        token = _TOKEN.match(self._body, position)
        if token:
            return token
        if position == len(self._body):
            raise _Unreadable(start, "the tag is not closed", position)
        if self._body[position] in "\"'":
            raise self._unreadable(position, "the quoted text is not closed")
        raise self._unreadable(position, f"unexpected {self._body[position]!r}")

    def _read(self, match: re.Match[str]) -> Token:
        line = self._line(match.start())
        if match["name"]:
            return Token("name", match["name"], line)
        if match["number"]:
            return Token("number", match["number"], line)
        if match["mark"]:
            return Token("mark", match["mark"], line)
        inner = match["string"][1:-1]
        for escape in _ESCAPE.finditer(inner):
            if escape[1] not in _ESCAPES:
                raise self._unreadable(match.end(), rf"unknown escape '\{escape[1]}' in a quoted text")
        return Token("string", _ESCAPE.sub(lambda escape: _ESCAPES[escape[1]], inner), line)

    def _unreadable(self, position: int, text: str) -> _Unreadable:
        behind = _RESUME.search(self._body, position)
        return _Unreadable(position, text, behind.end() if behind else len(self._body))
