"""What is wrong with a log, and where. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["missing", "database", "wal", "row", "leaf", "form", "order", "exchange", "time", "payload"]
"""Of what sort a problem is:

missing    a log, row or entry is not there
database   SQLite cannot read its file, or finds it damaged
wal        the WAL file is damaged: what came after that place is lost
row        the columns of a row do not fit together
leaf       an entry is not what its leaf hash was made of: one of the two was changed
form       an entry is none, or not in its canonical form
order      the log does not begin, go on or close as a log does
exchange   begin, attempts and end of an exchange do not fit together
time       a time that cannot be
payload    a payload is missing, damaged, or not the one that an entry tells of
"""
MOST: Final = 1000
"""Problems that are told of one by one; all are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `where` names file, row, entry and exchange as far as they are known, `detail` is a sentence."""

    kind: Kind
    where: str
    detail: str


@dataclass(slots=True)
class Report:
    """What was found: how much was read, and what is wrong with it. `total` counts all problems, `problems` holds the first."""

    entries: int = 0
    exchanges: int = 0
    problems: list[Problem] = field(default_factory=list)
    total: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.total

    def add(self, kind: Kind, where: str, detail: str) -> None:
        """Note a problem."""
        self.total += 1
        if len(self.problems) < MOST:
            self.problems.append(Problem(kind, where, detail))

    def take_in(self, other: Report) -> None:
        """Add what another report found."""
        self.entries += other.entries
        self.exchanges += other.exchanges
        self.problems += other.problems[: MOST - len(self.problems)]
        self.total += other.total
