"""The SQL engine: SQLite in a file under `store.path`, or PostgreSQL where `store.database` names one.

Invariants
- SQLite runs in WAL mode with `synchronous=FULL` and foreign keys; the answer of the WAL pragma is checked, because a file
  system without shared memory silently keeps the old mode. Only the owner may read a file that was made here.
- Every transaction starts with a BEGIN of our own, so that DDL is part of it; the execution option `begin` may say which.
- Every wait, for a lock, a connection or the network, ends after `patience` seconds; a PostgreSQL connection on which one
  ended is closed and never used again (SQLAlchemy sees to it, a test watches it).
- No message shows the password of `store.database`.
"""

from __future__ import annotations

import fcntl
import sqlite3
import ssl
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.errors import SettingsError
from gateway.settings.tree import Store
from gateway.store.private import make_file, make_folder

FILE: Final = "state.sqlite3"
LOCK: Final = "state.lock"
POOL_SIZE: Final = 4
PATIENCE: Final = 2.0

_SSL_MODES: Final = ("disable", "prefer", "require", "verify-ca", "verify-full")
_POSTGRES_OPTIONS: Final = ("host", "sslmode", "sslrootcert")


def open_engine(store: Store, *, patience: float = PATIENCE) -> Engine:
    """Return an engine for the store's database; nothing is connected yet. `patience` is in seconds.

    It is synchronous: call it from a thread where an event loop runs. Raises `SettingsError` where the settings cannot work.
    """
    if store.database:
        return _open_postgres(store.database, patience=patience)
    return _open_sqlite(store.path, patience=patience)


def _open_sqlite(folder: Path, *, patience: float) -> Engine:
    try:
        file, lock = folder / FILE, folder / LOCK
        make_folder(folder)
        make_file(file)
        make_file(lock)
    except OSError as error:
        raise SettingsError(f"store.path: {folder} cannot be written: {error.strerror}") from error
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"timeout": patience},
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=patience,
    )

    def connected(connection: sqlite3.Connection, _: object) -> None:
        prepare_sqlite(connection, where=str(file), lock=lock)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", _begin)
    return engine


def prepare_sqlite(connection: sqlite3.Connection, *, where: str, lock: Path) -> None:
    """Set what every connection needs; raises `SettingsError` where the file system cannot do WAL."""
    connection.isolation_level = None
    if _journal_mode(connection) != "wal":
        # Two connections that switch at once fail at once, whatever their patience: one after the other, then.
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            mode = _journal_mode(connection, switch="= WAL")
        if mode != "wal":
            raise SettingsError(
                f"store.path: the file system of {where} cannot do SQLite's WAL mode (it stays in {mode!r}); use a local disk"
            )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _journal_mode(connection: sqlite3.Connection, *, switch: str = "") -> str:
    mode: str = connection.execute(f"PRAGMA journal_mode {switch}").fetchone()[0]
    return mode


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _open_postgres(database: str, *, patience: float) -> Engine:
    url = _postgres_url(database)
    try:
        from gateway.store.postgres import PostgresConnection  # noqa: PLC0415  # its driver is an extra

        engine = create_engine(
            url.set(drivername="postgresql+pg8000", query={}),
            connect_args={"timeout": patience, "application_name": "gatehouse", **_postgres_options(url)},
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=patience,
            pool_pre_ping=True,
        )
    except ModuleNotFoundError as error:
        raise SettingsError("store.database: PostgreSQL needs its driver: install 'gatehouse[postgres]'") from error
    event.listen(engine, "do_connect", lambda _dialect, _record, arguments, options: PostgresConnection(*arguments, **options))
    return engine


def _postgres_url(database: str) -> URL:
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):  # their text quotes the address, password included
        raise SettingsError("store.database: not an address; write 'postgresql://user@host/database'") from None
    if url.drivername not in {"postgresql", "postgres"}:
        raise SettingsError(f"store.database: {url.drivername!r} is not known; write 'postgresql://user@host/database'")
    if not url.username or not url.database:
        raise SettingsError("store.database: user or database is missing; write 'postgresql://user@host/database'")
    unknown = sorted(set(url.query) - set(_POSTGRES_OPTIONS))
    if unknown:
        raise SettingsError(f"store.database: the option {unknown[0]!r} is not known; there are {', '.join(_POSTGRES_OPTIONS)}")
    return url


def _postgres_options(url: URL) -> dict[str, Any]:
    """Return libpq's options as the driver takes them: `host` as a socket's folder, `sslmode`, `sslrootcert`."""
    options: dict[str, Any] = {"ssl_context": _ssl_context(_option(url, "sslmode") or "prefer", _option(url, "sslrootcert"))}
    folder = _option(url, "host")
    if folder:
        options |= {"unix_sock": f"{folder}/.s.PGSQL.{url.port or 5432}", "ssl_context": False}
    return options


def _option(url: URL, name: str) -> str:
    value = url.query.get(name, "")
    if not isinstance(value, str):
        raise SettingsError(f"store.database: the option {name!r} stands there more than once")
    return value


def _ssl_context(mode: str, root: str) -> ssl.SSLContext | bool | None:
    """Return what the driver takes for libpq's `sslmode`: False never, None if the server can, True always."""
    if mode not in _SSL_MODES:
        raise SettingsError(f"store.database: sslmode {mode!r} is not known; there are {', '.join(_SSL_MODES)}")
    if not mode.startswith("verify"):
        return {"disable": False, "prefer": None, "require": True}[mode]
    try:
        context = ssl.create_default_context(cafile=root or None)
    except OSError as error:
        raise SettingsError(f"store.database: sslrootcert {root} holds no certificate that can be read") from error
    context.check_hostname = mode == "verify-full"
    return context
