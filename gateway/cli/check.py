"""`gatehouse check`: would the gateway work with this configuration, and with what is effective in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from gateway.cli.exits import FAILED, WRONG_USE
from gateway.errors import ClientError, SettingsError
from gateway.settings.load import load, problems
from gateway.settings.secret import masked
from gateway.settings.tree import Settings

PING_DEADLINE = 5.0
"""Seconds that each server may take to answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `problem` is empty where it is as it should be; a `note` is for its reader to judge."""

    what: str
    problem: str = ""
    note: str = ""


def check(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = Path("gateway.toml"),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the effective configuration, ask every server, and say what is wrong with file and key."""
    wrong = problems(config)
    if wrong:
        _print({"ok": False, "problems": wrong} if as_json else wrong)
        raise typer.Exit(WRONG_USE)
    settings = load(config)
    findings = [*asyncio.run(_ask_all(settings)), *_look_at_prompts(settings)]
    failed = [finding for finding in findings if finding.problem]
    if as_json:
        notes = [finding.note for finding in findings if finding.note]
        sentences = [f"{finding.what}: {finding.problem}" for finding in failed]
        _print({"ok": not failed, "settings": masked(settings), "problems": sentences, "notes": notes})
    else:
        _show(masked(settings), findings)
    if failed:
        raise typer.Exit(FAILED)


async def _ask_all(settings: Settings) -> list[Finding]:
    from gateway.app import build_upstreams  # noqa: PLC0415  # the whole gateway, which a wrong file need not load

    try:
        built = build_upstreams(settings)
    except SettingsError as error:
        return [Finding("upstreams", str(error))]
    findings = []
    for name, upstream in built.items():
        findings.append(await _ask(f"upstreams.{name}", upstream.ping(_deadline())))
        await upstream.close()
    findings.append(await _ask("store", asyncio.to_thread(_open_store, settings)))
    if settings.store.redis:
        findings.append(await _ask("store.redis", _ping_redis(settings.store.redis)))
    return [*findings, *await _load_tokenizers(settings)]


async def _load_tokenizers(settings: Settings) -> list[Finding]:
    from gateway.app import open_counters  # noqa: PLC0415  # as above

    try:
        counters = open_counters(settings)
    except SettingsError as error:
        return [Finding("tokenizers", str(error))]
    notes = await counters.load()
    await counters.close()
    return [Finding("tokenizers", note=note) for note in notes] or [Finding("tokenizers")]


def _look_at_prompts(settings: Settings) -> list[Finding]:
    from gateway.prompt.library.check import check as check_library  # noqa: PLC0415  # the template engine and more
    from gateway.prompt.library.loading import load_library  # noqa: PLC0415  # as above

    windows = {name: route.context_window for name, route in settings.routes.items()}
    found = check_library(load_library(settings.prompts.path), windows=windows).problems
    return [Finding("prompts", each.sentence()) for each in found if each.severity == "error"] or [Finding("prompts")]


async def _ask(what: str, ask: Awaitable[object]) -> Finding:
    try:
        async with asyncio.timeout(PING_DEADLINE):
            await ask
    except (ClientError, SettingsError) as error:
        return Finding(what, str(error))
    except TimeoutError:
        return Finding(what, f"does not answer within {PING_DEADLINE:g} seconds")
    except OSError as error:
        return Finding(what, f"cannot be reached ({type(error).__name__})")
    return Finding(what)


def _deadline() -> float:
    return asyncio.get_running_loop().time() + PING_DEADLINE


def _open_store(settings: Settings) -> None:
    from gateway.caller.keys import open_keys  # noqa: PLC0415  # SQLAlchemy

    open_keys(settings.store).close()


async def _ping_redis(url: str) -> None:
    from redis.exceptions import RedisError  # noqa: PLC0415

    from gateway.store.redis import open_redis  # noqa: PLC0415

    client = open_redis(url)
    try:
        await client.ping()
    except RedisError as error:
        raise SettingsError(f"cannot be reached ({type(error).__name__})") from error
    finally:
        await client.aclose()


def _show(settings: dict[str, Any], findings: list[Finding]) -> None:
    for key, value in _lines("", settings):
        typer.echo(f"{key} = {value}")
    typer.echo("")
    for finding in findings:
        said = finding.problem or finding.note
        state = "FAIL" if finding.problem else "note" if finding.note else "ok"
        typer.echo(f"{state:4}  {finding.what}{': ' if said else ''}{said}")


def _lines(prefix: str, node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every setting on a line of its own, its whole key before it: what `grep` and `diff` want."""
    for name, value in node.items():
        key = f"{prefix}.{name}" if prefix else name
        if isinstance(value, dict) and value:
            yield from _lines(key, value)
        else:
            yield key, msgspec.json.encode(value).decode()


def _print(report: dict[str, object] | list[str]) -> None:
    if isinstance(report, dict):
        typer.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        for line in report:
            typer.echo(line, err=True)
