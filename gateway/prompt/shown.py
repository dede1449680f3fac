"""Prompts, versions, labels and moves as they are shown to people and programs, at the command line and over HTTP. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.prompt.file.frontmatter import Mode
from gateway.prompt.label.labels import Labels, Move, Sticky
from gateway.prompt.library.library import Library
from gateway.prompt.library.version import Version


@dataclass(frozen=True, slots=True)
class LabelShown:
    """What a label stands for, and the canary beside it; `seed` tells that labels.yaml says so and nobody has moved it yet."""

    label: str
    version: str
    canary: str | None = None
    percent: int = 0
    sticky: Sticky | None = None
    seed: bool = False


@dataclass(frozen=True, slots=True)
class VersionShown:
    """One version; `route` is null where the caller names it, `contract` the number of its contract."""

    version: str
    digest: str
    file: str
    route: str | None
    contract: int
    mode: Mode
    description: str


@dataclass(frozen=True, slots=True)
class VersionText(VersionShown):
    """One version with its text (fragments in place) and the JSON Schema of its variables."""

    fragments: tuple[str, ...]
    text: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PromptShown:
    """One prompt: its labels, and its versions in the order in which they were published, the draft last."""

    id: str
    labels: list[LabelShown]
    versions: list[VersionShown]


@dataclass(frozen=True, slots=True)
class MoveShown:
    """A move of a label; `at` is ISO 8601 in UTC, `before` the version that the label left, null where it is new."""

    seq: int
    at: str
    prompt: str
    label: str
    before: str | None
    version: str
    canary: str | None
    percent: int
    sticky: Sticky | None
    by: str
    why: str
    report: str | None


def prompt_shown(prompt: str, library: Library, labels: Labels, *, seeds: bool) -> PromptShown:
    """Return a prompt of the library; with `seeds` also the labels that only labels.yaml knows yet."""
    begun = library.seeds.get(prompt, {}) if seeds else {}
    moves = labels.labels(prompt)
    found = {label: LabelShown(label, version, seed=True) for label, version in begun.items()}
    found |= {label: _label(move) for label, move in moves.items()}
    return PromptShown(prompt, [found[label] for label in sorted(found)], [*map(version_shown, library.versions(prompt))])


def version_shown(version: Version) -> VersionShown:
    """Return a version without its text."""
    return VersionShown(**_fields(version))


def version_text(version: Version) -> VersionText:
    """Return a version with its text."""
    source = version.source
    return VersionText(**_fields(version), fragments=source.fragments, text=source.body, schema=version.contract.schema)


def move_shown(move: Move) -> MoveShown:
    """Return a move."""
    return MoveShown(
        seq=move.seq,
        at=datetime.fromtimestamp(move.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        prompt=move.prompt,
        label=move.label,
        before=move.before,
        version=move.version,
        canary=move.canary,
        percent=move.percent,
        sticky=None if move.canary is None else move.sticky,
        by=move.by,
        why=move.why,
        report=move.report,
    )


def _fields(version: Version) -> dict[str, Any]:
    return {
        "version": version.name,
        "digest": version.digest,
        "file": version.file,
        "route": version.route,
        "contract": version.contract.number,
        "mode": version.contract.mode,
        "description": version.front.description,
    }


def _label(move: Move) -> LabelShown:
    sticky = None if move.canary is None else move.sticky
    return LabelShown(move.label, move.version, move.canary, move.percent, sticky)
