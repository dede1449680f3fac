"""`gatehouse`: the command line. Exit codes: 0 done, 1 the thing checked does not hold, 2 wrong use or configuration."""

from __future__ import annotations

import sys

import click
import typer

from gateway.cli.audit import app as audit
from gateway.cli.check import check
from gateway.cli.demo import demo
from gateway.cli.exits import WRONG_USE
from gateway.cli.keys import app as keys
from gateway.cli.prompts.app import app as prompts
from gateway.cli.serve import serve

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""

app = typer.Typer(
    name="gatehouse",
    help="LLM integration middleware: one OpenAI-compatible door between applications and their models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve)
app.command()(demo)
app.command()(check)
app.add_typer(keys)
app.add_typer(prompts)
app.add_typer(audit)


def main() -> None:
    """Run the command line; wrong use is one sentence and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "gatehouse"
        # Without any words the help itself has just been shown, and there is nothing to add.
        if wrong := error.format_message().rstrip("."):
            typer.echo(f"{wrong}: see '{where} --help'", err=True)
        sys.exit(WRONG_USE)
    except click.Abort:
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
