"""`gatehouse`: the command line. Exit codes: 0 done, 1 the thing checked does not hold, 2 wrong use or configuration."""

from __future__ import annotations

import typer

from gateway.cli.check import check
from gateway.cli.demo import demo
from gateway.cli.keys import app as keys
from gateway.cli.serve import serve

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


def main() -> None:
    """Run the command line."""
    app()
