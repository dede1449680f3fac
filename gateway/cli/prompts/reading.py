"""`gatehouse prompts list` and `show`: what there is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from gateway.audit.search.prose import printable
from gateway.cli.exits import exits
from gateway.cli.prompts.opening import Opened, current_labels, open_prompts
from gateway.cli.prompts.printing import laid_out, print_fields, print_json, print_table
from gateway.prompt.file.names import DRAFT
from gateway.prompt.file.text import read_text
from gateway.prompt.library.version import Version
from gateway.prompt.shown import LabelShown, PromptShown, prompt_shown, version_text


def list_prompts(config: Path, *, as_json: bool) -> None:
    """List every prompt."""
    with exits():
        opened = open_prompts(config)
        labels = current_labels(opened.settings)
        listed = [prompt_shown(prompt, opened.library, labels, seeds=True) for prompt in opened.library.ids()]
    if as_json:
        print_json(listed)
    elif listed:
        print_table([("PROMPT", "VERSIONS", "LABELS", "ROUTE", "CONTRACT"), *map(_row, listed)])
    else:
        typer.echo(f"There are no prompts in {opened.folder}.", err=True)
    errors = sum(problem.severity == "error" for problem in opened.library.problems)
    if errors:
        typer.echo(f"{errors} problems keep files from being used: run 'gatehouse prompts check'", err=True)


def show(text: str, config: Path, *, as_json: bool) -> None:
    """Show the version that `text` means, such as `support/triage@v2`."""
    with exits():
        opened = open_prompts(config)
        version = opened.chosen(text, lambda: current_labels(opened.settings))
        front = _front(opened, version)
    if as_json:
        print_json({"id": version.id, **asdict(version_text(version)), "front_matter": front})
        return
    contract = version.contract
    print_fields(
        [
            ("prompt", version.reference),
            ("file", str(opened.folder / version.file)),
            ("digest", version.digest),
            ("fragments", ", ".join(version.source.fragments)),
            ("route", version.route or "the caller's"),
            ("contract", f"{contract.number}{', violations are only counted' if contract.mode == 'shadow' else ''}"),
        ]
    )
    for part in (front, version.source.body, laid_out(contract.schema)):
        typer.echo(f"\n{printable(part).rstrip()}")


def _front(opened: Opened, version: Version) -> str:
    """Return the front matter as it stands in the file, between its lines `---`."""
    lines = read_text(version.file, opened.read(version.file) or b"").split("\n")
    return "\n".join(lines[: version.source.body_line - 1])


def _row(prompt: PromptShown) -> tuple[str, ...]:
    latest = next((each for each in reversed(prompt.versions) if each.version != DRAFT), prompt.versions[-1])
    versions = " ".join(each.version for each in prompt.versions)
    labels = ", ".join(map(label_text, prompt.labels))
    return (prompt.id, versions, labels or "-", latest.route or "-", str(latest.contract))


def label_text(label: LabelShown) -> str:
    """Return what a label stands for in a few signs, such as `production=v2 (10% v3)`."""
    canary = "" if label.canary is None else f" ({label.percent}% {label.canary})"
    return f"{label.label}={label.version}{canary}"
