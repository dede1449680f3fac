"""`gatehouse prompts`: its commands and their options. What does the work is loaded when a command runs, and not before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.prompt.label.labels import Sticky

app = typer.Typer(name="prompts", help="Edit, test, release and roll back prompts.", no_args_is_help=True)

FILE: Final = Path("gateway.toml")

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Prompt = Annotated[str, typer.Argument(metavar="ID", help="The prompt: <namespace>/<name>.")]
Version = Annotated[
    str, typer.Argument(metavar="ID[@VERSION]", help="A prompt, and '@v2', '@draft' or a label; '@production' where not given.")
]
Label = Annotated[str, typer.Argument(help="The label, such as production.")]
Why = Annotated[str, typer.Option(help="Why, for those who read the history and the log.")]
Route = Annotated[str | None, typer.Option(help="The route, where the prompt leaves it to its callers.")]


@app.command("list")
def list_prompts(config: Config = FILE, as_json: Json = False) -> None:
    """List every prompt: its versions, what its labels stand for, its route and contract."""
    from gateway.cli.prompts import reading  # noqa: PLC0415  # as the module says; so below

    reading.list_prompts(config, as_json=as_json)


@app.command()
def show(version: Version, config: Config = FILE, as_json: Json = False) -> None:
    """Show a version: where it comes from, its front matter and text, and the schema of its variables."""
    from gateway.cli.prompts import reading  # noqa: PLC0415

    reading.show(version, config, as_json=as_json)


@app.command()
def check(config: Config = FILE, as_json: Json = False) -> None:
    """Say what is wrong with the prompts, each with file and line; needs neither a running gateway nor its store."""
    from gateway.cli.prompts import checking  # noqa: PLC0415

    checking.check(config, as_json=as_json)


@app.command()
def render(
    version: Version,
    *,
    variables: Annotated[Path | None, typer.Option("--vars", help="A JSON file with the variables.")] = None,
    messages: Annotated[
        Path | None, typer.Option(help="A JSON file with the caller's messages, where the prompt takes them.")
    ] = None,
    route: Route = None,
    config: Config = FILE,
    as_json: Json = False,
) -> None:
    """Show the messages that a call would send, with their tokens, what was left out and what was neutralised."""
    from gateway.cli.prompts import rendering  # noqa: PLC0415

    rendering.render(version, config, variables=variables, messages=messages, route=route, as_json=as_json)


@app.command("test")
def try_cases(
    version: Version,
    *,
    route: Route = None,
    case: Annotated[list[str] | None, typer.Option(help="Only this case; may be given several times.")] = None,
    url: Annotated[
        str | None, typer.Option(help="A running gateway, its key in GATEHOUSE_API_KEY; else one in this process.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Who pays for a run in this process, where there are several.")] = None,
    config: Config = FILE,
    as_json: Json = False,
) -> None:
    """Run a version's cases.yaml: every case is one exchange as a caller would have it, with the version pinned."""
    from gateway.cli.prompts import testing  # noqa: PLC0415

    testing.try_cases(version, config, route=route, names=case or (), url=url, tenant=tenant, as_json=as_json)


@app.command()
def diff(
    old: Version,
    new: Annotated[
        str, typer.Argument(metavar="VERSION", help="Another version: 'v3', 'draft', a label, or one of another prompt.")
    ],
    *,
    config: Config = FILE,
    as_json: Json = False,
) -> None:
    """Show what changed between two versions: text, front matter, contract, tokens; and warn of what is easily overlooked."""
    from gateway.cli.prompts import comparing  # noqa: PLC0415

    comparing.diff(old, new, config, as_json=as_json)


@app.command()
def publish(prompt: Prompt, config: Config = FILE, as_json: Json = False) -> None:
    """Make the draft the next version, for good: its file is copied, its digest goes into prompts.lock."""
    from gateway.cli.prompts import releasing  # noqa: PLC0415

    releasing.publish(prompt, config, as_json=as_json)


@app.command()
def promote(
    prompt: Prompt,
    label: Label,
    version: Annotated[str, typer.Argument(help="The published version, such as v3.")],
    *,
    why: Why,
    percent: Annotated[
        int | None, typer.Option(min=0, max=100, help="Only for so many of a hundred: a canary beside the version that it has.")
    ] = None,
    sticky: Annotated[Sticky, typer.Option(help="By what those who get a canary are drawn.")] = "caller",
    report: Annotated[str | None, typer.Option(help="The evaluation that speaks for it.")] = None,
    config: Config = FILE,
    as_json: Json = False,
) -> None:
    """Let a label stand for a version, or for some callers as a canary; every gateway follows within a second."""
    from gateway.cli.prompts import releasing  # noqa: PLC0415
    from gateway.prompt.label.releasing import Promotion  # noqa: PLC0415

    wanted = Promotion(prompt=prompt, label=label, version=version, by="", why=why, percent=percent, sticky=sticky, report=report)
    releasing.promote(wanted, config, as_json=as_json)


@app.command()
def rollback(
    prompt: Prompt,
    label: Label,
    *,
    why: Why,
    to: Annotated[str | None, typer.Option(help="A version that it stood for before; the nearest where not given.")] = None,
    config: Config = FILE,
    as_json: Json = False,
) -> None:
    """Move a label back to a version that it stood for before; a canary ends with it."""
    from gateway.cli.prompts import releasing  # noqa: PLC0415

    releasing.rollback(prompt, label, config, to=to, why=why, as_json=as_json)


@app.command()
def history(
    prompt: Prompt,
    label: Annotated[str | None, typer.Argument(help="Only this label's.")] = None,
    *,
    config: Config = FILE,
    as_json: Json = False,
) -> None:
    """List every move of a prompt's labels, the latest first: when, by whom, from which version to which, and why."""
    from gateway.cli.prompts import releasing  # noqa: PLC0415

    releasing.history(prompt, label, config, as_json=as_json)
