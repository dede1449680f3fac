"""What prompts leave in the log: the version that an exchange used, and every move of a label. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import UNSET

from gateway.audit.clock import Moment
from gateway.audit.entry import MOST_ITEMS, LabelMove, LeftOut, PromptUsed


class Trimmed(Protocol):
    """What was left out of one input of a prompt."""

    @property
    def input(self) -> str:
        """The input's name."""

    @property
    def items(self) -> int:
        """How many of its items."""

    @property
    def tokens(self) -> int:
        """How long they were together."""


class Moved(Protocol):
    """A move of a label, as it is stored (`LabelMove` says what the fields are)."""

    @property
    def seq(self) -> int:
        """Its number."""

    @property
    def prompt(self) -> str:
        """The prompt."""

    @property
    def label(self) -> str:
        """The label."""

    @property
    def version(self) -> str:
        """The version that it stands for now."""

    @property
    def before(self) -> str | None:
        """The version that it stood for."""

    @property
    def canary(self) -> str | None:
        """The version that some get instead."""

    @property
    def percent(self) -> int:
        """How many."""

    @property
    def sticky(self) -> Literal["tenant", "caller"]:
        """By what they are drawn."""

    @property
    def by(self) -> str:
        """Who moved it."""

    @property
    def why(self) -> str:
        """The words of whoever did."""

    @property
    def report(self) -> str | None:
        """The evaluation that speaks for it."""


def prompt_used(
    prompt: str,
    version: str,
    *,
    label: str,
    contract: int,
    digest: str,
    neutralised: int,
    trimmed: Sequence[Trimmed],
) -> PromptUsed:
    """Return what a begin says of the prompt that its messages were rendered from; `label` is empty where none was asked for."""
    held = [LeftOut(input=each.input, items=each.items, tokens=each.tokens) for each in trimmed[:MOST_ITEMS]]
    return PromptUsed(
        id=prompt,
        version=version,
        label=label or UNSET,
        contract=contract,
        digest=digest,
        neutralised=neutralised,
        trimmed=held or UNSET,
        trimmed_total=len(trimmed) or UNSET,
    )


def label_move(moved: Moved, moment: Moment, *, withdrawn: bool = False) -> LabelMove:
    """Return the entry of a move, or of its withdrawal."""
    return LabelMove(
        at=moment.at,
        mono=moment.mono,
        seq=moved.seq,
        prompt=moved.prompt,
        label=moved.label,
        version=moved.version,
        before=moved.before or UNSET,
        canary=moved.canary or UNSET,
        percent=moved.percent,
        sticky=UNSET if moved.canary is None else moved.sticky,
        by=moved.by,
        why=moved.why,
        report=moved.report or UNSET,
        withdrawn=withdrawn,
    )
