"""Labels as people move them: only to versions that are served, and always so that the move can be rolled back.

Everything waits for the database, so call it in a thread. It raises what `LabelTable.move` raises, and `NotFound`
(prompt_not_found) for a version that the library does not serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import UNSET

from gateway.errors import Conflict, InvalidRequest
from gateway.prompt.file.names import DRAFT, is_label
from gateway.prompt.label.labels import Change, Move, Sticky, back, check
from gateway.prompt.label.table import Enter, Expected, LabelTable
from gateway.prompt.library.library import Library
from gateway.prompt.reference import unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A label of a prompt is to stand for `version`, or, with a percentage, to give so many of its callers that as a canary.

    `by` is who wants it, `why` that person's words.
    """

    prompt: str
    label: str
    version: str
    by: str
    why: str
    percent: int | None = None
    sticky: Sticky = "caller"
    report: str | None = None

    def change(self) -> Change:
        """Return the change that lets the label stand for the version, for everybody."""
        return Change(
            prompt=self.prompt,
            label=self.label,
            version=self.version,
            sticky=self.sticky,
            by=self.by,
            why=self.why,
            report=self.report,
        )


class Releasing:
    """Moves labels in a table, of the versions of one library; `enter` enters each move in the log."""

    def __init__(self, library: Library, table: LabelTable, *, enter: Enter) -> None:
        self._library = library
        self._table = table
        self._enter = enter

    def promote(self, wanted: Promotion, *, expected: Expected = UNSET) -> Move:
        """Move a label forward; where labels.yaml lets the prompt's labels begin is entered before.

        Raises `InvalidRequest` for a canary of a label that stands for nothing yet, and where nobody says why.
        """
        _check_why(wanted.why)
        check_served(self._library, wanted.prompt, wanted.version)
        change = wanted.change()
        check(change)
        self._table.seed(wanted.prompt, self._library.seeds.get(wanted.prompt, {}), enter=self._enter)
        if wanted.percent is None:
            return self._table.move(change, expected=expected, enter=self._enter)
        moves = self._table.moves(wanted.prompt, wanted.label)
        now = _standing(moves, expected)
        if now is None:
            raise InvalidRequest("The label stands for no version that a canary could run beside.", param="percent")
        canary = replace(change, version=now, canary=wanted.version, percent=wanted.percent)
        return self._table.move(canary, expected=now, enter=self._enter)

    def rollback(self, prompt: str, label: str, *, to: str | None, by: str, why: str, expected: Expected = UNSET) -> Move:
        """Move a label back to a version that it stood for before, the nearest where none is named; a canary ends with it."""
        _check_why(why)
        check_label(label)
        moves = self._table.moves(prompt, label)
        change = back(moves, to, by=by, why=why)
        check_served(self._library, prompt, change.version)
        now = _standing(moves, expected)
        return self._table.rollback(prompt, label, version=change.version, by=by, why=why, expected=now, enter=self._enter)


def check_served(library: Library, prompt: str, version: str) -> None:
    """Raise `NotFound` (prompt_not_found) unless a label may stand for the version: its callers would be refused."""
    if version == DRAFT or library.get(prompt, version) is None:
        raise unknown("version", "no such version")


def check_label(label: str) -> None:
    """Raise `NotFound` (prompt_not_found) for what can be no label: no database is asked for any text that somebody sends."""
    if not is_label(label):
        raise unknown("label", "malformed label")


def _check_why(why: str) -> None:
    if not why.strip():
        raise InvalidRequest("Say why the label is moved: others read it in the history and in the log.", param="why")


def _standing(moves: Sequence[Move], expected: Expected) -> str | None:
    """Return the version that a label stands for; raises `Conflict` where that is not the one that was expected."""
    now = moves[-1].version if moves else None
    if expected is not UNSET and expected != now:
        raise Conflict("Somebody else has moved the label since: look at it, then try again.", code="label_moved")
    return now
