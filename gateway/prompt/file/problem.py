"""What is wrong with a prompt's files, as one sentence about one line of one file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gateway.errors import GatehouseError

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, or with severity "warning" one that is only worth a look.

    `file` is relative to the folder of prompts; `line` counts from 1 and is 0 where there is none.
    """

    file: str
    line: int
    text: str
    severity: Severity = "error"

    def sentence(self) -> str:
        """Return the problem with its place, such as `support/triage/draft.prompty:7: inputs[0].kind is missing`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.text}"


class PromptInvalid(GatehouseError):
    """A prompt cannot be used; `problems` are all that were found, in the order of their places, at least one an error."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("; ".join(problem.sentence() for problem in self.problems))
