"""The output of a body in the making: the engine's source, and the markers that part what it will write into messages."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.prompt.template.findings import Findings
from gateway.prompt.template.flow import NOWHERE, UNSURE, Place
from gateway.prompt.template.pieces import quoted
from gateway.prompt.template.roles import Voice

PLAIN_CHARS = 64
_SYSTEM = Voice("system")


@dataclass(frozen=True, slots=True)
class Marker:
    """What begins at a marker: a message of `voice`, or the messages of the input `thread`."""

    voice: Voice | None = None
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """Source for the engine; `markers` by the number that stands behind the nonce; `lines` are the body's, by line of source."""

    source: str
    markers: tuple[Marker, ...]
    lines: tuple[int, ...]


def number(marker: int) -> str:
    """Return a marker's number as it stands behind the nonce."""
    return f"{marker:04x}"


NUMBER_CHARS = len(number(0))


@dataclass(slots=True)
class _Piece:
    source: str
    line: int
    is_tag: bool
    marker: Marker | None = None


class Layout:
    """Takes pieces of source in their order and keeps track of the place where the next text stands."""

    def __init__(self, nonce: str, findings: Findings) -> None:
        self._nonce = nonce
        self._findings = findings
        self._pieces: list[_Piece] = []
        self.place: Place = NOWHERE

    def tag(self, words: str, line: int) -> int:
        """Put a statement here and return its position. It begins a line of source, which tells where a fault lies."""
        self._pieces.append(_Piece(f"{{%\n{words} %}}", line, is_tag=True))
        return len(self._pieces) - 1

    def follow(self, position: int, source: str) -> None:
        """Put more source behind a piece."""
        self._pieces[position].source += source

    def output(self, expression: str, line: int, *, in_loop: bool) -> None:
        """Put an output here, in whatever message it stands."""
        self._content(line, in_loop=in_loop)
        self._pieces.append(_Piece(f"{{{{\n{expression} }}}}", line, is_tag=True))

    def text(self, text: str, line: int, *, in_loop: bool) -> None:
        """Put the body's own text here; whitespace may stand anywhere and is dropped where no message is.

        Longer text in a loop is written as an output, so that it is paid for in every round.
        """
        if written := text.lstrip():
            self._content(line + text.count("\n", 0, len(text) - len(written)), in_loop=in_loop)
        if in_loop and len(text) > PLAIN_CHARS:
            self._pieces.append(_Piece(f"{{{{\n{quoted(text)} }}}}", line, is_tag=True))
            return
        # the engine would read on from a brace at the end into the tag behind it
        marked = text.endswith("{") or any(opener in text for opener in ("{{", "{%", "{#"))
        self._pieces.append(_Piece(f"{{% raw %}}{text}{{% endraw %}}" if marked else text, line, is_tag=False))

    def message(self, voice: Voice, line: int, *, block: int) -> None:
        """Begin a message here, in the block of that number."""
        self.place = Place("line", voice, len(self._pieces), block)
        self._pieces.append(_Piece("", line, is_tag=False, marker=Marker(voice)))

    def thread(self, name: str, line: int, *, block: int) -> None:
        """Put the messages of a thread here; a role line right before it, in the same block, has nothing to say and goes."""
        place = self.place
        if place.kind == "line" and place.block == block:
            self._pieces[place.mark].marker = None
        self.place = Place("thread", _SYSTEM if place.kind == "nowhere" else place.voice)
        self._pieces.append(_Piece("", line, is_tag=False, marker=Marker(thread=name)))

    def _content(self, line: int, *, in_loop: bool) -> None:
        """Make sure that what is written here stands in a message: behind a thread, the one before it goes on."""
        place = self.place
        if place.kind == "thread":
            if place.voice is None or in_loop:
                place = UNSURE
            else:
                self.message(place.voice, line, block=-1)
        if place.kind in {"unsure", "nowhere"}:
            self._findings.add(line, "which message this belongs to depends on the values: put a role line before it")
        self.place = Place("message", place.voice)

    def finish(self) -> Program:
        """Return the program."""
        markers: list[Marker] = []
        lines = [1]
        for piece in self._pieces:
            breaks = piece.source.count("\n")
            lines += [piece.line] * breaks if piece.is_tag else range(piece.line + 1, piece.line + 1 + breaks)
            if piece.marker:
                piece.source = self._nonce + number(len(markers))
                markers.append(piece.marker)
        return Program("".join(piece.source for piece in self._pieces), tuple(markers), tuple(lines))
