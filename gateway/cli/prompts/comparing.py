"""`gatehouse prompts diff`: what changed between two versions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import typer
from msgspec import UNSET

from gateway.audit.search.prose import printable
from gateway.cli.exits import exits
from gateway.cli.prompts.counting import Counting
from gateway.cli.prompts.opening import current_labels, open_prompts, reference
from gateway.cli.prompts.printing import print_json
from gateway.prompt.library.diff import Diff, compare, constant_text
from gateway.prompt.library.version import Version


def diff(old: str, new: str, config: Path, *, as_json: bool) -> None:
    """Print what changed from one version to another; `new` may be a version of the same prompt alone, such as `v3`."""
    with exits():
        opened = open_prompts(config)
        if "/" not in new:
            new = f"{reference(old).id}@{new}"
        versions = [opened.chosen(text, lambda: current_labels(opened.settings)) for text in (old, new)]
        found = asyncio.run(_compared(*versions, counting=Counting(opened.settings, versions[1].route)))
    if as_json:
        print_json(found)
    else:
        _print(found)


async def _compared(old: Version, new: Version, *, counting: Counting) -> Diff:
    texts = [constant_text(old), constant_text(new)]
    async with counting as counter:
        counts = {text: int(count) for text, count in zip(texts, await counter.texts(texts), strict=True)}
    return compare(old, new, count=counts.__getitem__)


def _print(found: Diff) -> None:
    if found.same:
        typer.echo(f"{found.old} and {found.new} say the same.")
        return
    for change in found.front:
        typer.echo(printable(f"{change.key}: {_value(change.old)} → {_value(change.new)}"))
    for line in found.text:
        typer.echo(printable(line))
    (before, after), (older, newer) = found.tokens, found.contracts
    typer.echo(f"\ntokens of the constant text: {before} → {after} ({after - before:+d}); contract: {older} → {newer}")
    for reason in found.incompatible:
        typer.echo(printable(f"incompatible: {reason}"))
    for warning in found.warnings:
        typer.echo(printable(f"warning: {warning}"))


def _value(value: Any) -> str:
    return "-" if value is UNSET else msgspec.json.encode(value).decode()
