"""`gatehouse audit`: search the log, show an exchange, verify what was written."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from gateway.audit.search.archive import LIMIT, MOST, Archive, Found, Note, Page, Record
from gateway.audit.search.filters import Filters, Kind, Outcome, cursor, moment, prompt
from gateway.audit.search.prose import printable
from gateway.audit.search.rights import View, view_of
from gateway.audit.verify.logs import verify as verify_logs
from gateway.audit.verify.problem import Report
from gateway.cli.entering import entering
from gateway.cli.exits import FAILED, exits
from gateway.errors import Forbidden, InvalidRequest, NotFound, SettingsError, Unauthenticated
from gateway.exchange.caller import Caller
from gateway.settings.load import load
from gateway.settings.tree import Settings

if TYPE_CHECKING:
    from gateway.audit.search.plaintext import Part

KEY: Final = "GATEHOUSE_API_KEY"

app = typer.Typer(name="audit", help="Search, show and verify what the log holds.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_TIME = 'A day or time ("2026-11-24", "2026-11-24T12:00:00Z") or how long ago ("90m", "7d").'


@app.command()
def search(
    *,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    app_name: Annotated[str | None, typer.Option("--app", help="Of this app of the tenant.")] = None,
    route: Annotated[str | None, typer.Option(help="For this model name.")] = None,
    prompt_name: Annotated[
        str | None, typer.Option("--prompt", help='Of this prompt ("support/triage"), or this version of it ("…@v7").')
    ] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="That ended like this.")] = None,
    since: Annotated[str | None, typer.Option(help=f"Not before. {_TIME}")] = None,
    until: Annotated[str | None, typer.Option(help=f"Before. {_TIME}")] = None,
    kind: Annotated[Kind, typer.Option(help="Exchanges, or the entries of one other kind.")] = "exchange",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many at most.")] = LIMIT,
    after: Annotated[str | None, typer.Option(help="Go on where the page before ended: its 'next'.")] = None,
    config: Config = Path("gateway.toml"),
    as_json: Json = False,
) -> None:
    """List exchanges, the latest first, or what else the log tells of."""
    with exits():
        settings = load(config)
        now = time.time()
        prompt_id, version = _prompt(prompt_name)
        filters = Filters(
            kind,
            tenant,
            app_name,
            route,
            outcome,
            since=_moment(since, "since", now),
            until=_moment(until, "until", now),
            prompt=prompt_id,
            version=version,
        )
        place = cursor(after) if after is not None else None
        if after is not None and place is None:
            raise SettingsError("--after: give the 'next' of the page before")
        page = Archive(settings.store.path).search(filters, _view(settings), after=place, limit=limit)
    if as_json:
        _print_json(page)
    else:
        _print_page(page)


@app.command()
def show(
    exchange_id: Annotated[str, typer.Argument(metavar="ID", help="The exchange's id, the x-request-id of its answer.")],
    *,
    reason: Annotated[
        str | None, typer.Option(help=f"Why you read the plaintext; it is entered first. Needs an auditor's key in {KEY}.")
    ] = None,
    config: Config = Path("gateway.toml"),
    as_json: Json = False,
) -> None:
    """Show one exchange: who, when, what, how it ended; with a reason also what was asked and answered."""
    with exits():
        settings = load(config)
        view = _view(settings)
        archive = Archive(settings.store.path)
        record = _record(archive, exchange_id, view)
        parts = None
        if reason is not None:
            parts = _plaintext(settings, record, view=view, reason=reason)
            record = _record(archive, exchange_id, view)  # with the access that was just entered
    from gateway.audit.search.page import page  # noqa: PLC0415  # cryptography and zstandard, which other commands do without
    from gateway.audit.search.shown import shown, shown_payload  # noqa: PLC0415  # as above

    if as_json:
        given = {"payload": shown_payload(record, parts).parts} if parts is not None else {}
        exchange = shown(record)
        _print_json({"exchange": exchange.exchange, "entries": exchange.entries, **given})
    else:
        typer.echo(page(record, parts), nl=False)


@app.command()
def verify(
    path: Annotated[
        Path | None, typer.Argument(help="A store's folder, or that of one of its logs; store.path where not given.")
    ] = None,
    config: Config = Path("gateway.toml"),
    as_json: Json = False,
) -> None:
    """Check everything that was written: every byte of entries and payloads, offline, without keys.

    What was cut off at the end of a log, or written anew as a whole, cannot be seen in the log alone.
    """
    with exits():
        report = verify_logs(load(config).store.path if path is None else path, now=time.time())
    if as_json:
        problems = [{"kind": each.kind, "where": each.where, "detail": each.detail} for each in report.problems]
        _print_json({"ok": report.ok, "entries": report.entries, "exchanges": report.exchanges, "problems": problems})
    else:
        _print_report(report)
    if not report.ok:
        raise typer.Exit(FAILED)


def _view(settings: Settings) -> View:
    """Return what is seen: all entries as the machine's operator, or what the key in the environment may see."""
    operator = View(None, "", "operator")
    text = os.environ.get(KEY)
    if not text:
        return operator
    caller = _identify(settings, text)
    try:
        return view_of(caller)
    except Forbidden:
        typer.echo(
            f"The key in {KEY} has role {caller.role}, which counts for nothing here: read as this machine's operator", err=True
        )
        return operator


def _identify(settings: Settings, text: str) -> Caller:
    from gateway.caller.callers import Callers  # noqa: PLC0415  # SQLAlchemy, which other commands do without
    from gateway.caller.keys import open_keys  # noqa: PLC0415  # as above

    async def identify() -> Caller:
        with closing(Callers(keys, settings.tenants)) as callers:
            return await callers.identify(text)

    with closing(open_keys(settings.store)) as keys:
        try:
            return asyncio.run(identify())
        except Unauthenticated as error:
            raise SettingsError(f"{KEY}: the key is not valid (any more): unset it, or give another") from error


def _record(archive: Archive, exchange_id: str, view: View) -> Record:
    record = archive.record(exchange_id, view)
    if record is None:
        raise NotFound(f"There is no exchange {printable(exchange_id)!r} in the log")
    return record


def _plaintext(settings: Settings, record: Record, *, view: View, reason: str) -> list[Part]:
    """Return the payload's parts, once the access to them is durable in the command line's own log."""
    from gateway.audit.search.plaintext import access_to, open_parts  # noqa: PLC0415  # cryptography
    from gateway.audit.vault.keyring import read_keyring  # noqa: PLC0415  # as above
    from gateway.audit.vault.reader import PayloadReader  # noqa: PLC0415  # as above

    if view.role != "auditor":
        raise SettingsError(f"--reason: the plaintext is for auditors: put a key of role auditor into {KEY}")
    with closing(read_keyring(settings.store.path)) as keyring:
        try:
            with entering(settings) as log:
                log.enter(lambda moment: access_to(record, view, reason=reason, moment=moment))
        except InvalidRequest as error:
            raise SettingsError(f"--reason: {error}") from error
        return open_parts(record, PayloadReader(settings.store.path, keyring))


def _prompt(text: str | None) -> tuple[str | None, str | None]:
    found = (None, None) if text is None else prompt(text)
    if found is None:
        raise SettingsError("--prompt: write a prompt's id, or a version of it such as 'support/triage@v7'")
    return found


def _moment(text: str | None, option: str, now: float) -> int | None:
    if text is None:
        return None
    found = moment(text, now=now)
    if found is None:
        raise SettingsError(f'--{option}: write a day or time such as "2026-11-24T12:00:00Z", or how long ago, such as "7d"')
    return found


def _print_page(page: Page) -> None:
    rows = [_note_row(each) if isinstance(each, Note) else _found_row(each) for each in page.data]
    if rows:
        heads = ("TIME", "ID", "TENANT", "APP", "ROUTE", "PROMPT", "OUTCOME", "TOKENS", "MS")
        rows.insert(0, ("TIME", "LOG", "INDEX", "FIELDS") if isinstance(page.data[0], Note) else heads)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    else:
        typer.echo("Nothing was found.", err=True)
    if page.next is not None:
        typer.echo(f"There may be more: --after {page.next}", err=True)
    if page.damaged:
        typer.echo(f"{page.damaged} damaged places of the log are left out: run 'gatehouse audit verify'", err=True)


def _found_row(found: Found) -> tuple[str, ...]:
    tokens = "-" if found.input_tokens is None else f"{found.input_tokens}+{found.output_tokens}"
    milliseconds = "-" if found.microseconds is None else f"{found.microseconds / 1000:.0f}"
    how = found.outcome + (f" ({found.error})" if found.error else "")
    names = (found.id, found.tenant, found.app or "-", found.route or "-", found.prompt or "-", how, tokens, milliseconds)
    return (found.at[:19] + "Z", *map(printable, names))


def _note_row(note: Note) -> tuple[str, ...]:
    fields = {name: value for name, value in note.fields.items() if name not in {"kind", "v", "at", "mono"}}
    return (note.at[:19] + "Z", note.log, str(note.index), printable(_json(fields)))


def _print_report(report: Report) -> None:
    for each in report.problems:
        typer.echo(f"{each.kind}: {printable(f'{each.where}: {each.detail}')}")
    if report.total > len(report.problems):
        typer.echo(f"and {report.total - len(report.problems)} more")
    what = f"{report.entries} entries of {report.exchanges} exchanges"
    typer.echo(f"{what}: all is as it was written." if report.ok else f"{what}: {report.total} problems.")


def _print_json(value: object) -> None:
    typer.echo(_json(value))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
