"""The statements of a body, read and written anew for the engine.

They are `for`, `if` and `set`, with `break` and `continue`; comments and `raw` are gone by now. Whatever else a template
language can do (macros, captures, includes at run time, inheritance) would let text grow or move where nobody can say what it
comes to; it is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.prompt.template.expression import RESERVED, Expression, Reader
from gateway.prompt.template.findings import Findings
from gateway.prompt.template.flow import Place, join
from gateway.prompt.template.layout import Layout, Program
from gateway.prompt.template.limits import RenderLimits
from gateway.prompt.template.pieces import Piece, Tag, Text, Token
from gateway.prompt.template.roles import RoleLine, Segment, Voice, split_roles
from gateway.prompt.template.scope import Scope

TICK = '{{ "" }}'
"""Put into a loop that writes nothing itself, so that the engine calls back in every round."""
NOT_TEXT = frozenset(["array", "object"])
STATEMENTS = "for, if, set, break, continue, raw"


@dataclass(frozen=True, slots=True)
class Demand:
    """What a body must fit: the declared inputs with their kinds, the caps, the nonce, and the engine's own check of syntax."""

    inputs: Mapping[str, str]
    limits: RenderLimits
    nonce: str
    fault: Callable[[str], str | None]
    """Returns what the engine has against an expression, or None."""


def write_program(pieces: Sequence[Piece], demand: Demand, findings: Findings) -> Program:
    """Write the program of a body; what is wrong with the body is noted in `findings`, and the program is then of no use."""
    for name in sorted(demand.inputs):
        if name in RESERVED or name.startswith("_"):
            findings.add(0, f"an input cannot be named {name!r}")
    writer = _Writer(demand, findings)
    if _begins_with_text(pieces, writer.threads):
        writer.layout.message(Voice("system"), 1, block=-1)
    for piece in pieces:
        writer.write(piece)
    return writer.finish()


def _begins_with_text(pieces: Iterable[Piece], threads: frozenset[str]) -> bool:
    """Tell whether anything is written before the first role line: it is then a system message, whatever the values hold."""
    for piece in pieces:
        if isinstance(piece, Text):
            for segment, _ in _segments(piece):
                if isinstance(segment, RoleLine) or segment.strip():
                    return isinstance(segment, str)
        elif piece.kind == "output":
            return not _is_thread(piece, threads)
    return False


def _segments(piece: Text) -> Iterator[tuple[Segment, int]]:
    """Yield text and role lines with their lines, without the whitespace that tags take; they take none beyond a role line."""
    segments: list[Segment] = [piece.text]
    if not piece.raw:
        segments = list(split_roles(piece.text, opens_line=piece.opens_line, closes_line=piece.closes_line))
    line = piece.line
    for index, segment in enumerate(segments):
        if isinstance(segment, RoleLine):
            line = piece.line + segment.offset
            yield segment, line
            continue
        text = segment.lstrip() if piece.trim_start and index == 0 else segment
        line += segment.count("\n", 0, len(segment) - len(text))
        if piece.trim_end and index == len(segments) - 1:
            text = text.rstrip()
        yield text, line


def _is_thread(tag: Tag, threads: frozenset[str]) -> bool:
    return tag.alone and len(tag.tokens) == 1 and tag.tokens[0].kind == "name" and tag.tokens[0].text in threads


@dataclass(slots=True)
class _Block:
    """A loop or condition that is open. `before` is where text stood at its beginning, `ends` where its branches ended.

    `position` is that of its statement in the layout. `writes` tells of a loop that each round surely writes something.
    """

    keyword: str
    line: int
    position: int
    before: Place
    ends: list[Place] = field(default_factory=list)
    branches: int = 0
    has_else: bool = False
    writes: bool = False
    skips: bool = False


class _Writer:
    def __init__(self, demand: Demand, findings: Findings) -> None:
        self._demand = demand
        self._findings = findings
        self.threads = frozenset(name for name, kind in demand.inputs.items() if kind == "thread")
        self.layout = Layout(demand.nonce, findings)
        self._scope = Scope(demand.inputs)
        self._reader = Reader(self._scope, self.threads, findings, demand.limits)
        self._blocks: list[_Block] = []
        self._statements: Mapping[str, Callable[[Tag], None]] = {
            "for": self._for,
            "if": self._if,
            "elif": self._elif,
            "else": self._else,
            "endfor": self._end,
            "endif": self._end,
            "set": self._set,
            "break": self._leave,
            "continue": self._leave,
        }

    def write(self, piece: Piece) -> None:
        """Write a piece."""
        if isinstance(piece, Text):
            self._text(piece)
        elif piece.kind == "output":
            self._output(piece)
        elif piece.tokens and piece.tokens[0].kind == "name" and piece.tokens[0].text in self._statements:
            self._statements[piece.tokens[0].text](piece)
        else:
            word = piece.tokens[0].text if piece.tokens else ""
            self._findings.add(piece.line, f"unknown statement {word!r}; known are {STATEMENTS}")

    def finish(self) -> Program:
        """Return the program of all that was written."""
        for block in self._blocks:
            self._findings.add(block.line, f"'{block.keyword}' is not closed: '{{% end{block.keyword} %}}' is missing")
        for name in sorted(set(self._demand.inputs) - self._scope.used):
            self._findings.add(0, f"the input {name!r} is declared and never used")
        program = self.layout.finish()
        if not program.markers:
            self._findings.add(0, "the body holds no message")
        return program

    @property
    def _in_loop(self) -> bool:
        return any(block.keyword == "for" for block in self._blocks)

    def _expression(self, tokens: Sequence[Token], line: int, *, condition: bool = False) -> Expression:
        before = self._findings.count
        expression = self._reader.read(tokens, line, condition=condition)
        # the engine works out what is constant, so it is asked only about what may be worked out
        if self._findings.count == before and (fault := self._demand.fault(expression.source)):
            self._findings.add(line, fault)
        return expression

    # text and output

    def _text(self, piece: Text) -> None:
        for segment, line in _segments(piece):
            if isinstance(segment, str):
                self.layout.text(segment, line, in_loop=self._in_loop)
                continue
            if segment.voice is None:
                self._findings.add(line, 'a role line has no attribute but name="…"; in a raw block it would be text')
            self.layout.message(segment.voice or Voice("user"), line, block=self._block())

    def _block(self) -> int:
        """Return what tells the innermost open block from all others."""
        return self._blocks[-1].position if self._blocks else -1

    def _output(self, tag: Tag) -> None:
        sole = tag.tokens[0].text if len(tag.tokens) == 1 and tag.tokens[0].kind == "name" else ""
        if _is_thread(tag, self.threads):
            self._scope.read(sole)
            if self._in_loop:
                self._findings.add(tag.line, f"the thread {sole!r} stands in a loop")
            self.layout.thread(sole, tag.line, block=self._block())
            return
        if self._demand.inputs.get(sole) in NOT_TEXT and self._scope.is_input(sole):
            self._findings.add(tag.line, f"{sole!r} is no text: loop over it, or write {sole}|tojson")
        expression = self._expression(tag.tokens, tag.line)
        if self._blocks:
            self._blocks[-1].writes = True
        self.layout.output(expression.source, tag.line, in_loop=self._in_loop)

    # statements

    def _open(self, keyword: str, words: str, line: int) -> None:
        position = self.layout.tag(words, line)
        self._blocks.append(_Block(keyword, line, position, self.layout.place))
        loops = sum(block.keyword == "for" for block in self._blocks)
        if len(self._blocks) > self._demand.limits.blocks:
            self._findings.add(line, f"more than {self._demand.limits.blocks} blocks inside each other")
        elif loops > self._demand.limits.loops:
            self._findings.add(line, f"more than {self._demand.limits.loops} loops inside each other")

    def _for(self, tag: Tag) -> None:
        names, iterated, condition = _split_for(tag.tokens[1:])
        if not names:
            self._findings.add(tag.line, "a loop is written 'for name in list'")
        for name in names:
            self._check_name(name)
        source = self._expression(iterated, tag.line)
        self._scope.open()
        for name in names:
            self._scope.bind(name.text, source.copies)
        self._scope.bind("loop", 0)
        words = f"for {', '.join(name.text for name in names)} in ({source.source})"
        if condition is not None:
            words += f" if {self._expression(condition, tag.line).source}"
        self._open("for", words, tag.line)

    def _if(self, tag: Tag) -> None:
        self._open("if", f"if {self._expression(tag.tokens[1:], tag.line, condition=True).source}", tag.line)

    def _elif(self, tag: Tag) -> None:
        block = self._branch(tag, "elif")
        if block:
            block.branches += 1
            if block.branches > self._demand.limits.branches:
                self._findings.add(tag.line, f"more than {self._demand.limits.branches} 'elif' of one condition")
        self.layout.tag(f"elif {self._expression(tag.tokens[1:], tag.line, condition=True).source}", tag.line)

    def _else(self, tag: Tag) -> None:
        self._only(tag)
        block = self._branch(tag, "else")
        if block:
            block.has_else = True
            if block.keyword == "for":
                self._scope.close()
                self._scope.open()
        self.layout.tag("else", tag.line)

    def _branch(self, tag: Tag, word: str) -> _Block | None:
        block = self._blocks[-1] if self._blocks else None
        if block is None or block.has_else or (word == "elif" and block.keyword == "for"):
            self._findings.add(tag.line, f"unexpected {word!r}")
            return None
        block.ends.append(self.layout.place)
        self.layout.place = block.before
        return block

    def _end(self, tag: Tag) -> None:
        self._only(tag)
        keyword = tag.tokens[0].text.removeprefix("end")
        if not self._blocks or self._blocks[-1].keyword != keyword:
            self._findings.add(tag.line, f"unexpected 'end{keyword}'")
            return
        block = self._blocks.pop()
        block.ends.append(self.layout.place)
        if not block.has_else:
            block.ends.append(block.before)
        self.layout.place = functools.reduce(join, block.ends)
        if keyword == "for":
            self._scope.close()
            if block.skips or not block.writes:
                self.layout.follow(block.position, TICK)
        self.layout.tag(f"end{keyword}", tag.line)

    def _set(self, tag: Tag) -> None:
        match tag.tokens[1:]:
            case [Token(kind="name") as name, Token(kind="mark", text="="), *value]:
                self._check_name(name)
                expression = self._expression(value, tag.line)
                # one more for every step, so that no chain of lists in lists goes deep either
                self._scope.bind(name.text, expression.copies + 1)
                self.layout.tag(f"set {name.text} = {expression.source}", tag.line)
            case _:
                self._findings.add(tag.line, "a variable is set as 'set name = value'; blocks of text and fields are not set")

    def _leave(self, tag: Tag) -> None:
        self._only(tag)
        loop = next((block for block in reversed(self._blocks) if block.keyword == "for"), None)
        if loop is None:
            self._findings.add(tag.line, f"{tag.tokens[0].text!r} stands in no loop")
            return
        loop.skips = True
        loop.ends.append(self.layout.place)
        self.layout.tag(tag.tokens[0].text, tag.line)

    def _only(self, tag: Tag) -> None:
        if len(tag.tokens) > 1:
            self._findings.add(tag.line, f"unexpected {tag.tokens[1].text!r} behind {tag.tokens[0].text!r}")

    def _check_name(self, name: Token) -> None:
        if self._scope.is_input(name.text):
            self._findings.add(name.line, f"{name.text!r} is an input; give the variable another name")
        elif name.text in RESERVED or name.text.startswith("_"):
            self._findings.add(name.line, f"a variable cannot be named {name.text!r}")


def _split_for(tokens: Sequence[Token]) -> tuple[list[Token], Sequence[Token], Sequence[Token] | None]:
    """Return a loop's names, what it goes through, and its condition; no names where it is not written as a loop is."""
    names: list[Token] = []
    for index, token in enumerate(tokens):
        if index % 2 == 0 and token.kind == "name" and token.text not in RESERVED:
            names.append(token)
        elif index % 2 and token.kind == "name" and token.text == "in":
            return names, *_split_condition(tokens[index + 1 :])
        elif index % 2 == 0 or token.text != ",":
            break
    return [], [], None


def _split_condition(tokens: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token] | None]:
    depth = 0
    for index, token in enumerate(tokens):
        if token.kind == "mark":
            depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
        elif token.kind == "name" and token.text == "if" and not depth:
            return tokens[:index], tokens[index + 1 :]
    return tokens, None
