"""The body of a prompt, compiled once: from values to messages.

Invariants
- The number of messages and their roles come from the body and from which way the values take through its conditions and loops;
  never from the text of a value. Messages are parted at markers that nobody outside can know.
- A value is text to the engine, never template.
- Rendering is pure: the same values give the same messages, and no value is changed.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minijinja import TemplateError

from gateway.prompt.file.problem import Problem
from gateway.prompt.template.account import RenderFailed
from gateway.prompt.template.engine import Engine, Extent, extent_of, syntax_fault
from gateway.prompt.template.findings import Findings
from gateway.prompt.template.layout import NUMBER_CHARS, Marker, Program, number
from gateway.prompt.template.limits import RENDER_LIMITS, RenderLimits
from gateway.prompt.template.neutral import find_controls
from gateway.prompt.template.pieces import Piece, Text, read_pieces
from gateway.prompt.template.program import Demand, write_program
from gateway.prompt.template.thread import read_thread
from gateway.wire.message import Message

__all__ = ["RENDER_LIMITS", "RenderFailed", "RenderLimits", "Template", "compile_template"]


class Template:
    """A compiled body. Nothing in it changes from one rendering to the next; any number of threads may render at once.

    `roles` are those of the role lines in the order of the body, with "thread" where a thread stands.
    """

    def __init__(self, program: Program, nonce: str, *, limits: RenderLimits, warnings: tuple[Problem, ...]) -> None:
        self._program = program
        self._nonce = nonce
        self._limits = limits
        self._markers = {number(index): marker for index, marker in enumerate(program.markers)}
        self._threads = frozenset(marker.thread for marker in program.markers if marker.thread)
        self._idle = [Engine(program, limits)]
        """Engines that render nothing right now: taken for a rendering, and put back."""
        self.roles = tuple(_role(marker) for marker in program.markers)
        self.warnings = warnings

    def render(self, values: Mapping[str, Any], extent: Extent | None = None) -> list[Message]:
        """Return the messages that values make of the body.

        `values` are plain JSON values by the names of the inputs; the value of a thread is a list of messages, as objects or
        already read. `extent` is how large they are where that is known, as it is of values that were just read. Raises
        `RenderFailed`, and for a thread that is none what `read_thread` raises.
        """
        threads: dict[str, list[Message]] = {}
        if self._threads:
            threads = {name: read_thread(values.get(name, []), pointer=f"/prompt/variables/{name}") for name in self._threads}
            values = {name: value for name, value in values.items() if name not in threads}
            extent = extent or extent_of(values)
            values |= {name: [None] * len(messages) for name, messages in threads.items()}
        else:
            extent = extent or extent_of(values)
        engine = self._idle.pop() if self._idle else Engine(self._program, self._limits)
        try:
            text = engine.render(values, extent)
        finally:
            self._idle.append(engine)
        return self._messages(text, threads)

    def _messages(self, text: str, threads: Mapping[str, Sequence[Message]]) -> list[Message]:
        messages: list[Message] = []
        markers = self._markers
        for part in text.split(self._nonce)[1:]:
            marker = markers[part[:NUMBER_CHARS]]
            if marker.voice:
                messages.append(marker.voice.says(part[NUMBER_CHARS:].strip("\r\n")))
            else:
                messages += threads[marker.thread]
        if not 0 < len(messages) <= self._limits.messages:
            raise RenderFailed(f"The variables make none or more than {self._limits.messages} messages.", reason="messages")
        return messages


def _role(marker: Marker) -> str:
    return marker.voice.role if marker.voice else "thread"


def compile_template(
    body: str,
    *,
    inputs: Mapping[str, str],
    where: Callable[[int], tuple[str, int]],
    limits: RenderLimits = RENDER_LIMITS,
) -> Template:
    """Compile a body whose fragments are in place; raises `PromptInvalid` with every problem found.

    `inputs` are the declared inputs with their kinds, `where` gives file and line of a line of the body, counted from 1.
    """
    findings = Findings(where)
    pieces = read_pieces(body, findings, limits)
    findings.settle()
    # a control character, so that the marker costs no text its compact form; 128 bits that nobody outside learns
    nonce = f"\x1e{secrets.token_hex(16)}"
    demand = Demand(inputs, limits, nonce, functools.lru_cache(maxsize=limits.tags)(syntax_fault))
    program = write_program(pieces, demand, findings)
    _warn_of_controls(pieces, findings)
    warnings = findings.settle()
    try:
        return Template(program, nonce, limits=limits, warnings=warnings)
    except TemplateError as error:
        findings.add(program.lines[min(error.line or 1, len(program.lines)) - 1], f"{error.detail or error.kind}")
        raise findings.invalid() from None


def _warn_of_controls(pieces: Sequence[Piece], findings: Findings) -> None:
    """Warn of control tokens in the body's own text: a route that neutralises breaks them there too."""
    for piece in pieces:
        texts = [(piece.text, piece.line)] if isinstance(piece, Text) else [(token.text, token.line) for token in piece.tokens]
        for text, first in texts:
            for line, words in enumerate(text.split("\n") if find_controls(text) else [], start=first):
                if find_controls(words):
                    findings.add(line, "this line holds a control token of a chat template", "warning")
