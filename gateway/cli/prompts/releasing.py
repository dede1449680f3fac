"""`gatehouse prompts publish`, `promote`, `rollback` and `history`: versions are made, labels are moved, each move is entered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import typer

from gateway.cli.entering import entering, operator
from gateway.cli.exits import exits
from gateway.cli.prompts.opening import Opened, label_table, open_prompts, wrong_use
from gateway.cli.prompts.printing import print_json, print_table
from gateway.errors import SettingsError
from gateway.prompt.file.names import DRAFT, is_id
from gateway.prompt.label.labels import Move
from gateway.prompt.label.releasing import Promotion, Releasing, check_label
from gateway.prompt.library.folder import DRAFT_FILE
from gateway.prompt.library.publish import publish as publish_draft
from gateway.prompt.shown import MoveShown, move_shown

_NO_LABEL = "There is no such label: 'gatehouse prompts list' shows the labels of each prompt"
_JUST_NOW = "visible to every gateway within a second"


def publish(prompt: str, config: Path, *, as_json: bool) -> None:
    """Make a prompt's draft its next version."""
    with exits():
        opened = open_prompts(config)
        with wrong_use(f"There is no draft to publish: write {opened.folder / prompt / DRAFT_FILE}"):
            published = publish_draft(opened.settings.prompts.path, prompt)
    if as_json:
        print_json(published)
        return
    typer.echo(f"{published.id}@{published.name} is published: commit {opened.folder / published.file} and prompts.lock.")
    typer.echo(f"No label stands for it yet: 'gatehouse prompts promote {published.id} production {published.name} --why …'")


def promote(wanted: Promotion, config: Path, *, as_json: bool) -> None:
    """Let a label stand for a version, or run it as a canary beside the one that it has."""
    with exits():
        opened = open_prompts(config)
        if wanted.version == DRAFT:
            raise SettingsError(f"A label stands for a published version: run 'gatehouse prompts publish {wanted.prompt}' first")
        opened.version(wanted.prompt, wanted.version)
        with _releasing(opened) as releasing:
            moved = releasing.promote(replace(wanted, by=operator()))
    _print_move(moved, as_json=as_json)


def rollback(prompt: str, label: str, config: Path, *, to: str | None, why: str, as_json: bool) -> None:
    """Move a label back to a version that it stood for before."""
    with exits():
        opened = open_prompts(config)
        opened.versions(prompt)
        if to is not None:
            opened.version(prompt, to)
        with _releasing(opened) as releasing:
            moved = releasing.rollback(prompt, label, to=to, by=operator(), why=why)
    _print_move(moved, as_json=as_json)


def history(prompt: str, label: str | None, config: Path, *, as_json: bool) -> None:
    """Print every move of a prompt's labels, or of one of them."""
    with exits():
        opened = open_prompts(config)
        if not is_id(prompt):
            raise SettingsError(f"{prompt!r} is no prompt: write '<namespace>/<name>', such as support/triage")
        with label_table(opened.settings) as table, wrong_use(_NO_LABEL):
            if label is not None:
                check_label(label)
            moves = [move_shown(move) for move in reversed(table.moves(prompt, label))]
        if not moves:
            opened.versions(prompt)  # a prompt that is not there is wrong use, one without moves is not
    if as_json:
        print_json(moves)
    elif moves:
        print_table([("TIME", "LABEL", "FROM", "TO", "CANARY", "BY", "WHY"), *map(_row, moves)])
    else:
        typer.echo("No label was moved yet.", err=True)


@contextmanager
def _releasing(opened: Opened) -> Iterator[Releasing]:
    """Open log and labels; the log first, so that nothing is begun that could not be entered."""
    with entering(opened.settings) as log, label_table(opened.settings) as table, wrong_use(_NO_LABEL):
        yield Releasing(opened.library, table, enter=log.move)


def _print_move(move: Move, *, as_json: bool) -> None:
    if as_json:
        print_json(move_shown(move))
        return
    canary = "" if move.canary is None else f", and for {move.percent}% of {move.sticky}s for {move.canary}"
    before = "" if move.before is None else f" (before: {move.before})"
    typer.echo(f"{move.prompt}@{move.label} stands for {move.version}{canary}{before}: {_JUST_NOW}.")


def _row(move: MoveShown) -> tuple[str, ...]:
    canary = "-" if move.canary is None else f"{move.percent}% {move.canary}"
    return (move.at, move.label, move.before or "-", move.version, canary, move.by, move.why)
