"""What the commands about prompts print: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import typer

from gateway.audit.search.prose import printable


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as they need; the first row is the head."""
    cells = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair a line; a value that is empty is left out."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        if value:
            typer.echo(f"{name.ljust(width)}  {printable(value)}")


def print_json(value: Any) -> None:
    """Print a value as JSON on one line."""
    typer.echo(msgspec.json.encode(value).decode())


def laid_out(value: Any) -> str:
    """Return a value as JSON over several lines."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
