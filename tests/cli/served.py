"""`gatehouse serve` with an app of the tests, as a program: python -m tests.cli.served CONFIG.

SERVED=refuses makes an application that cannot be built, SERVED=fails one that does not start, SERVED=dies a process that ends.
"""

from __future__ import annotations

import os
from pathlib import Path

import typer

from gateway.api.dispatch import Asgi
from gateway.api.server import Draining
from gateway.cli.exits import exits
from gateway.cli.serve import run
from gateway.errors import SettingsError
from gateway.settings.load import load
from gateway.settings.tree import Settings
from gateway.telemetry.log import open_log, raw_stderr
from gateway.telemetry.observer import Observer
from tests.api.house import App


def build(_settings: Settings, draining: Draining, _observer: Observer) -> Asgi:
    """Build an app of the tests."""
    how = os.environ.get("SERVED", "good")
    if how == "refuses":
        raise SettingsError("store.path cannot be written: choose another folder.")
    if how == "dies":
        os._exit(9)
    return App(draining=draining, lifespan=how)


def main(config: Path) -> None:
    """Serve until a signal."""
    with exits(), open_log(raw_stderr()) as log:
        code = run(load(config), build, log=log)
    raise typer.Exit(code)


if __name__ == "__main__":
    typer.run(main)
