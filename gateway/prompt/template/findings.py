"""What compiling a body has found wrong so far, each with its place."""

from __future__ import annotations

from collections.abc import Callable

from gateway.prompt.file.problem import Problem, PromptInvalid, Severity

MOST = 50
"""Problems after which nobody reads on."""


class Findings:
    """Collects problems by line of the body; `where` gives file and line of a line of the body, counted from 1."""

    def __init__(self, where: Callable[[int], tuple[str, int]]) -> None:
        self._where = where
        self._problems: list[Problem] = []

    def add(self, line: int, text: str, severity: Severity = "error") -> None:
        """Note a problem at a line of the body; line 0 is the file as a whole. Raises `PromptInvalid` when there are `MOST`."""
        file, at = self._where(max(line, 1))
        self._problems.append(Problem(file, at if line else 0, text, severity))
        if len(self._problems) >= MOST:
            self.settle()

    @property
    def count(self) -> int:
        """How many there are so far."""
        return len(self._problems)

    def settle(self) -> tuple[Problem, ...]:
        """Return the warnings so far; raises `PromptInvalid` with all problems if one of them is an error."""
        if any(problem.severity == "error" for problem in self._problems):
            raise self.invalid()
        return tuple(sorted(set(self._problems)))

    def invalid(self) -> PromptInvalid:
        """Return all problems so far as an error."""
        return PromptInvalid(self._problems)
