"""How commands end: one sentence on stderr and the exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from gateway.errors import GatehouseError, SettingsError

FAILED = 1
WRONG_USE = 2


@contextmanager
def exits() -> Iterator[None]:
    """Turn our errors into an exit: 2 for settings, 1 for the rest, with the error's own sentence on stderr."""
    try:
        yield
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USE) from error
    except GatehouseError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from error
