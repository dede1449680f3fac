"""The commands about prompts are there, each says what it does, and none loads what another one needs."""

from __future__ import annotations

import subprocess
import sys

import typer

from gateway.cli.prompts.app import app

COMMANDS = ["list", "show", "check", "render", "test", "diff", "publish", "promote", "rollback", "history"]


def test_every_command_has_a_sentence() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    assert list(commands) == COMMANDS
    for command in commands.values():
        assert command.help.strip().endswith(".")
        assert {"--config", "-c", "--json"} <= {option for parameter in command.params for option in parameter.opts}


def test_the_words_alone_load_no_prompts() -> None:
    said = (
        "import sys, gateway.cli.prompts.app; print(sorted(m for m in ('yaml', 'minijinja', 'sqlalchemy') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
