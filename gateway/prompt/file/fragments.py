"""Puts fragments into a body, as text, before anything is compiled; and remembers where each line came from.

`{% include "_fragments/tone.md" %}` stands for the text of that file, one LF at its end left out. Only that form is known: a
name in quotes, below `_fragments/` or the prompt's own namespace's `_fragments/`, at most `include_depth` files inside each
other. Comments and `raw` blocks of the template are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import Problem, PromptInvalid
from gateway.prompt.file.text import read_text

Origin = tuple[str, int]
"""A file and a line in it, from 1."""

_LITERAL = re.compile(r"""\{%\s*include\s+(?:"([^"\n]*)"|'([^'\n]*)')\s*%\}""")
_INCLUDE = re.compile(r"\{%[-+]?\s*include\b")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_ENDRAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_OPENING = re.compile(r"\{[{%#]")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FOLDER = "_fragments"


@dataclass(frozen=True, slots=True)
class Expanded:
    """A body with its fragments in place, the origin of each of its lines, and the fragments' bytes by path."""

    text: str
    origins: tuple[Origin, ...]
    fragments: dict[str, bytes]
    problems: tuple[Problem, ...] = ()


def expand(file: str, body: str, *, first_line: int, fragment: Callable[[str], bytes]) -> Expanded:
    """Put the fragments into a body that starts at `first_line` of `file`; `fragment` reads one, as `read_source` says."""
    expansion = _Expansion(file, fragment)
    expansion.add(file, first_line, body, depth=0)
    return expansion.result()


class _Expansion:
    def __init__(self, file: str, fragment: Callable[[str], bytes]) -> None:
        parts = file.split("/")
        self._folders = (_FOLDER, f"{parts[0]}/{_FOLDER}") if len(parts) > 1 else (_FOLDER,)
        self._fragment = fragment
        self._files: dict[str, bytes] = {}
        self._texts: dict[str, str | None] = {}
        self._includes = LIMITS.includes
        self._chars = 0
        self._pieces: list[str] = []
        self._origins: list[Origin] = [(file, 1)]
        self._begun = False  # whether anything stands on the last line yet
        self._problems: list[Problem] = []

    def result(self) -> Expanded:
        return Expanded("".join(self._pieces), tuple(self._origins), self._files, tuple(self._problems))

    def add(self, file: str, line: int, text: str, *, depth: int) -> None:
        """Add the text of a file that starts at a line of it, and whatever it includes."""
        done = 0
        for start, end, path in _includes(text):
            self._write(file, line, text[done:start])
            line += text.count("\n", done, start)
            if path is None:
                self._wrong(file, line, 'includes in a way that is not known: write {% include "_fragments/name.md" %}')
            else:
                self._include(path, (file, line), depth=depth + 1)
            line += text.count("\n", start, end)
            done = end
        self._write(file, line, text[done:])

    def _include(self, path: str, at: Origin, *, depth: int) -> None:
        self._includes -= 1
        if self._includes < 0:
            raise PromptInvalid([Problem(*at, f"includes more than {LIMITS.includes} fragments, all together")])
        if not self._is_allowed(path):
            folders = " or ".join(f"{folder}/" for folder in self._folders)
            self._wrong(*at, f"includes what does not lie below {folders}, or is not written plainly")
        elif depth > LIMITS.include_depth:
            self._wrong(*at, f"includes fragments more than {LIMITS.include_depth} deep")
        elif (text := self._text(path, at)) is not None:
            self.add(path, 1, text.removesuffix("\n"), depth=depth)

    def _is_allowed(self, path: str) -> bool:
        below = any(path.startswith(f"{folder}/") for folder in self._folders)
        return below and all(_PART.fullmatch(part) for part in path.split("/"))

    def _text(self, path: str, at: Origin) -> str | None:
        if path not in self._texts:
            self._texts[path] = None
            try:
                self._files[path] = data = self._fragment(path)
                self._texts[path] = read_text(path, data)
            except PromptInvalid as error:
                self._problems += error.problems
            except FileNotFoundError:
                self._wrong(*at, f"includes {path}, which does not exist")
            except OSError:
                self._wrong(*at, f"includes {path}, which cannot be read")
        return self._texts[path]

    def _write(self, file: str, line: int, text: str) -> None:
        if not text:
            return
        self._chars += len(text)
        if self._chars > LIMITS.body_chars:
            raise PromptInvalid(
                [Problem(file, line, f"the body and its fragments have more than {LIMITS.body_chars} characters")]
            )
        if not self._begun:
            self._origins[-1] = (file, line)
        breaks = text.count("\n")
        self._origins += [(file, line + number) for number in range(1, breaks + 1)]
        self._begun = not text.endswith("\n")
        self._pieces.append(text)

    def _wrong(self, file: str, line: int, text: str) -> None:
        self._problems.append(Problem(file, line, text))


def _includes(text: str) -> Iterator[tuple[int, int, str | None]]:
    """Yield start, end and path of each include of a template; the path is None where its form is not known."""
    at = 0
    while (opening := _OPENING.search(text, at)) is not None:
        start = opening.start()
        if (literal := _LITERAL.match(text, start)) is not None:
            at = literal.end()
            yield start, at, literal[1] or literal[2] or ""
        elif (other := _INCLUDE.match(text, start)) is not None:
            at = other.end()
            yield start, at, None
        else:
            at = _end(text, start, opening[0])
            if at < 0:  # never closed: what compiles the template says so
                return


def _end(text: str, start: int, opening: str) -> int:
    """Return where a comment, expression or statement ends, a raw block as a whole; negative where it does not."""
    if (raw := _RAW.match(text, start)) is not None:
        closing = _ENDRAW.search(text, raw.end())
        return closing.end() if closing else -1
    close = {"{{": "}}", "{%": "%}", "{#": "#}"}[opening]
    found = text.find(close, start + 2)
    return found + 2 if found >= 0 else -1
