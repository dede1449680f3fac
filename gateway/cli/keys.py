"""`gatehouse keys`: create, list and revoke API keys."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer
from pydantic import TypeAdapter, ValidationError

from gateway.cli.entering import entering
from gateway.cli.exits import FAILED, exits
from gateway.errors import GatehouseError, SettingsError
from gateway.exchange.caller import Role
from gateway.settings.load import load
from gateway.settings.tree import Settings
from gateway.settings.values import Duration

if TYPE_CHECKING:
    from gateway.caller.table import KeyRecord, KeyTable

app = typer.Typer(name="keys", help="Create, list and revoke API keys.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
State = Literal["active", "expired", "revoked"]


class _Created(msgspec.Struct):
    """What `create --json` prints; times are ISO 8601 in UTC."""

    id: str
    key: str
    tenant: str
    app: str | None
    role: Role
    expires: str | None


class _Listed(msgspec.Struct):
    """One key of what `list --json` and `revoke --json` print."""

    id: str
    tenant: str
    app: str | None
    role: Role
    created: str
    expires: str | None
    revoked: str | None
    state: State


@app.command()
def create(
    *,
    tenant: Annotated[str, typer.Option(help="The tenant that the key acts for.")],
    app_name: Annotated[str | None, typer.Option("--app", help="The tenant's app, where the key is one app's only.")] = None,
    role: Annotated[Role, typer.Option(help="What the key may do.")] = "app",
    expires: Annotated[str | None, typer.Option(help="How long it is valid, such as 90d; for ever where not given.")] = None,
    config: Config = Path("gateway.toml"),
    as_json: Json = False,
) -> None:
    """Make a key and print it: this once, it is stored nowhere."""
    with exits():
        settings = load(config)
        _check_known(settings, config, tenant=tenant, app_name=app_name)
        until = _until(expires, now=time.time())
        from gateway.caller.keys import open_keys  # noqa: PLC0415  # SQLAlchemy, which other commands do without

        with closing(open_keys(settings.store)) as keys, entering(settings) as log:
            text, record = keys.create(tenant, app_name, role=role, expires=until, enter=log.key_created)
    if as_json:
        _print_json(_Created(record.id, text, record.tenant, record.app, record.role, _iso(record.expires)))
        return
    whose = f"tenant {record.tenant}" + (f", app {record.app}" if record.app else "")
    typer.echo(
        f"Key {record.id} for {whose}, role {record.role}, valid until {_iso(record.expires) or 'revoked'};"
        " it is shown this once:",
        err=True,
    )
    typer.echo(text)


@app.command("list")
def list_keys(config: Config = Path("gateway.toml"), as_json: Json = False) -> None:
    """List every key, oldest first, also those that expired or were revoked."""
    with exits(), _table(load(config)) as table:
        now = time.time()
        listed = [_listed(record, now=now) for record in table.list()]
    if as_json:
        _print_json(listed)
        return
    rows = [("ID", "TENANT", "APP", "ROLE", "CREATED", "EXPIRES", "STATE")]
    rows += [(k.id, k.tenant, k.app or "-", k.role, k.created, k.expires or "never", k.state) for k in listed]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as 'keys list' shows it.")],
    config: Config = Path("gateway.toml"),
    as_json: Json = False,
) -> None:
    """Revoke a key for good; running gateways refuse it within 30 seconds.

    It is revoked also where the log cannot be written; the exit code is 1 then, and repeating the command enters it.
    """
    with exits():
        settings = load(config)
        with _table(settings) as table:
            record = table.revoke(key_id)
        if record is None:
            raise SettingsError(f"There is no key {key_id!r}: 'gatehouse keys list' shows the ids")
        listed = _listed(record, now=time.time())
        unentered = _enter_revocation(settings, record)
    if as_json:
        _print_json(listed)
    else:
        typer.echo(f"Key {listed.id} is revoked since {listed.revoked}; every gateway refuses it within 30 seconds.")
    if unentered:
        typer.echo(f"The log does not tell of it: {unentered} Put that right, then repeat the command.", err=True)
        raise typer.Exit(FAILED)


def _enter_revocation(settings: Settings, record: KeyRecord) -> str:
    """Enter that a key is revoked; return why that cannot be done, or nothing.

    The key is revoked before: one that leaked must not go on working because a disk is full.
    """
    try:
        with entering(settings) as log:
            log.key_revoked(record)
    except GatehouseError as error:
        return f"{str(error).rstrip('.')}."
    return ""


@contextmanager
def _table(settings: Settings) -> Iterator[KeyTable]:
    """Open the keys without their pepper, so that a lost one does not keep keys from being revoked."""
    from gateway.caller.table import KeyTable  # noqa: PLC0415  # as in `create`
    from gateway.store.migrate import open_store  # noqa: PLC0415

    table = KeyTable(open_store(settings.store))
    try:
        yield table
    finally:
        table.close()


def _check_known(settings: Settings, config: Path, *, tenant: str, app_name: str | None) -> None:
    if tenant not in settings.tenants:
        raise SettingsError(f"{config}: no tenant is named {tenant!r}{_hint(tenant, settings.tenants, section='tenants')}")
    apps = settings.tenants[tenant].apps
    if app_name is not None and app_name not in apps:
        section = f"tenants.{tenant}.apps"
        raise SettingsError(f"{config}: no app of tenant {tenant} is named {app_name!r}{_hint(app_name, apps, section=section)}")


def _hint(name: str, known: Iterable[str], *, section: str) -> str:
    nearest = get_close_matches(name, known, n=1)
    if nearest:
        return f": did you mean {nearest[0]!r}?"
    names = ", ".join(sorted(known))
    return f": there are {names}" if names else f": add a section [{section}.NAME]"


def _until(expires: str | None, *, now: float) -> int | None:
    """Return when a key made now expires, in seconds since 1970."""
    if expires is None:
        return None
    try:
        length = TypeAdapter(Duration).validate_python(expires)
    except ValidationError:
        raise SettingsError('--expires: must be a duration of at most 3660d, such as "90d" or "12h"') from None
    return math.ceil(now + length)


def _listed(record: KeyRecord, *, now: float) -> _Listed:
    state: State = "revoked" if record.revoked is not None else "active" if record.live(now) else "expired"
    return _Listed(
        id=record.id,
        tenant=record.tenant,
        app=record.app,
        role=record.role,
        created=datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        expires=_iso(record.expires),
        revoked=_iso(record.revoked),
        state=state,
    )


def _iso(time_: int | None) -> str | None:
    return None if time_ is None else datetime.fromtimestamp(time_, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_json(value: object) -> None:
    typer.echo(msgspec.json.encode(value).decode())
