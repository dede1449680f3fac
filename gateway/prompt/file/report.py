"""Collects what is wrong with a front matter, each at the line of its key."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.prompt.file.document import Document, Path
from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import Problem, Severity
from gateway.settings.keys import advice, dotted


class Report:
    """The problems of one front matter so far, at most `FileLimits.problems` of them."""

    __slots__ = ("_document", "_file", "problems")

    def __init__(self, file: str, document: Document) -> None:
        self._file = file
        self._document = document
        self.problems: list[Problem] = list(document.problems[: LIMITS.problems])

    @property
    def full(self) -> bool:
        """Whether what is found from now on is not told any more: then no work need be put into its text."""
        return len(self.problems) > LIMITS.problems

    def add(self, path: Path, text: str, severity: Severity = "error") -> None:
        """Note a problem; `text` is a predicate of the key."""
        if self.full:
            return
        place = dotted(path) if path else "the front matter"
        if len(self.problems) == LIMITS.problems:
            place, text, severity = "the front matter", "has more that is wrong", "error"
        self.problems.append(Problem(self._file, self._document.line(path), f"{place} {text}", severity))

    def unknown(self, path: Path, known: Iterable[str], *, noun: str, name: str | None = None) -> None:
        """Note a key, or the word `name` under a key, that does not exist, with the nearest that does."""
        if not self.full:  # to look for it is slow
            self.add(path, f"is no {noun}: {advice(str(path[-1]) if name is None else name, known)}")
