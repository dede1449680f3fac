"""Labels of prompts: which version a label stands for, and for whom. Pure.

Invariants
- A label is what its latest move says; moves are only added, so what a label stood for is known for every moment.
- The same caller gets the same side of a canary for as long as neither prompt, label nor `sticky` change; as the percentage
  grows, whoever had the canary keeps it.
- A caller's side says nothing of its side for another prompt or label: the draws are independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from gateway.errors import InvalidRequest
from gateway.prompt.file.names import is_id, is_label, is_version
from gateway.prompt.reference import unknown

Sticky = Literal["tenant", "caller"]
"""By what the side of a canary is drawn: all callers of a tenant have the same one, or each key has its own."""

SEED: Final = "seed"
"""Who moved a label that `labels.yaml` set."""
BUCKETS: Final = 10_000
PER_CENT: Final = BUCKETS // 100
MOST_WHY: Final = 1024
MOST_WORD: Final = 256
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A move that is wanted: `label` of `prompt` is to stand for `version`, for `percent` of those who call for `canary`.

    `by` is who wants it: a key id, `os:<name>` at the command line, or `seed`; `why` are that person's words; `report` names the
    evaluation that speaks for it.
    """

    prompt: str
    label: str
    version: str
    canary: str | None = None
    percent: int = 0
    sticky: Sticky = "caller"
    by: str
    why: str = ""
    report: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Change):
    """A move as it was made: the `seq`th of all, at whole seconds since 1970; `before` is the version that the label left."""

    seq: int
    at: int
    before: str | None


class Labels:
    """What every label stands for at one moment; `last` is the `seq` of the latest move, 0 where there is none."""

    __slots__ = ("_moves", "last")

    def __init__(self, moves: Iterable[Move] = ()) -> None:
        self._moves: dict[str, dict[str, Move]] = {}
        self.last = 0
        for move in sorted(moves, key=lambda each: each.seq):
            self._moves.setdefault(move.prompt, {})[move.label] = move
            self.last = move.seq

    def version(self, prompt: str, label: str, *, tenant: str, caller: str) -> str | None:
        """Return the version that a label stands for, for this caller (its key id); None where there is no such label."""
        moves = self._moves.get(prompt)
        move = None if moves is None else moves.get(label)
        if move is None:
            return None
        if move.canary is None:
            return move.version
        key = tenant if move.sticky == "tenant" else caller
        return move.canary if bucket(prompt, label, key=key) < move.percent * PER_CENT else move.version

    def labels(self, prompt: str) -> dict[str, Move]:
        """Return a prompt's labels, each with the move that holds."""
        return dict(self._moves.get(prompt, {}))


def bucket(prompt: str, label: str, *, key: str) -> int:
    """Return where a caller or tenant stands among `BUCKETS`: those below a canary's share get it."""
    # No name holds a NUL, so that no two of these texts are alike.
    return int.from_bytes(sha256(f"{prompt}\0{label}\0{key}".encode()).digest()[:8], "big") % BUCKETS


def check(change: Change) -> None:
    """Raise `InvalidRequest` where a change is none that can be made, whatever versions there are."""
    if not is_id(change.prompt):
        raise InvalidRequest("Write the prompt as '<namespace>/<name>'.", param="prompt")
    if not is_label(change.label):
        raise InvalidRequest(
            "A label is up to 64 of a-z, 0-9, _ and -, neither 'draft' nor like a version such as v7.", param="label"
        )
    if not is_version(change.version):
        raise InvalidRequest("A label stands for a published version, such as v7.", param="version")
    _check_canary(change)
    if not change.by or not _is_text(change.by, MOST_WORD):
        raise InvalidRequest(f"Who moves a label is named in 1 to {MOST_WORD} characters.", param="by")
    if not _is_text(change.why, MOST_WHY):
        raise InvalidRequest(f"Say why in at most {MOST_WHY} characters of text.", param="why")
    if not _is_text(change.report or "", MOST_WORD):
        raise InvalidRequest(f"Name the report in at most {MOST_WORD} characters of text.", param="report")


def _check_canary(change: Change) -> None:
    if change.canary is None:
        if change.percent:
            raise InvalidRequest("A percentage needs a canary: name the version that it is of.", param="percent")
        return
    if not is_version(change.canary) or change.canary == change.version:
        raise InvalidRequest("A canary is another published version, such as v8.", param="canary")
    if not 0 <= change.percent <= 100:  # noqa: PLR2004  # per cent
        raise InvalidRequest("A canary's percentage is a whole number from 0 to 100.", param="percent")


def _is_text(text: str, most: int) -> bool:
    """Tell whether a text is not too long, and one that a database and UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:  # an argument of a command may be any bytes
        return False
    return len(text) <= most and "\0" not in text


def earlier(history: Sequence[Move]) -> tuple[str, ...]:
    """Return the versions that a label can be rolled back to, of its moves from the first to the last; the nearest first.

    Nearest is where a canary runs the version beside it; otherwise the one that the label stood for before it first came to the
    present one, so that rolling back twice goes two versions back and not to the one that was just left. Versions that were left
    by a rollback come last, the latest of them first. A version that was a canary only was never the label's.
    """
    if not history:
        return ()
    path: list[str] = []
    left: dict[str, None] = {}
    for move in history:
        if move.version in path:
            beyond = path.index(move.version) + 1
            left |= dict.fromkeys(path[beyond:])
            del path[beyond:]
        else:
            path.append(move.version)
            left.pop(move.version, None)
    current = path if history[-1].canary is not None else path[:-1]
    return (*reversed(current), *reversed(left))


def back(history: Sequence[Move], version: str | None, *, by: str, why: str) -> Change:
    """Return the change that rolls a label back, to a version that it stood for before, the nearest where none is named.

    A canary ends with it. Raises `NotFound` (prompt_not_found) for a label without moves, `InvalidRequest` where it never stood
    for that version, or for no other yet.
    """
    if not history:
        raise unknown("label", "label without history")
    versions = earlier(history)
    if not versions:
        raise InvalidRequest("The label has stood for one version only: there is nothing to roll back to.", param="label")
    if version is not None and version not in versions:
        raise InvalidRequest("The label never stood for that version before: promote it instead.", param="version")
    now = history[-1]
    return Change(prompt=now.prompt, label=now.label, version=version or versions[0], sticky=now.sticky, by=by, why=why)
