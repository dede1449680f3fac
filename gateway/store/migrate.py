"""Bring a database to the schema of this program.

Invariants
- A database that is current costs one look at its version; Alembic is then not even imported.
- An upgrade is one transaction under a lock: processes that start together wait for the first, a crash leaves nothing half.
- A database that a newer program made is refused, never touched.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import SettingsError
from gateway.settings.tree import Store
from gateway.store.engine import PATIENCE, open_engine

REVISIONS: Final = ("0001", "0002")
"""Every revision under `migrations/versions`, oldest first; said here so that a start need not read the folder."""

UPGRADE_PATIENCE: Final = 60.0
"""Seconds that an upgrade waits for another process's, and that one of its statements may take."""

_ADVISORY_LOCK: Final = int.from_bytes(b"gatehous", "big")


def open_store(store: Store, *, patience: float = PATIENCE) -> Engine:
    """Return an engine on a database with the schema of this program.

    Raises `SettingsError` where the database cannot be used: unreachable, of a newer program, on an unfit file system.
    """
    engine = open_engine(store, patience=patience)
    try:
        migrate(store, engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def migrate(store: Store, engine: Engine) -> None:
    """Upgrade the database behind `engine` if it is not current; raises as `open_store` does."""
    try:
        with engine.connect() as connection:
            current = _is_current(connection)
        if not current:
            _upgrade(store)
    except (SQLAlchemyError, OSError) as error:
        raise SettingsError(f"{_where(store, engine)} cannot be used: {_reason(error)}") from error


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    versions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    unknown = sorted(set(versions) - set(REVISIONS))
    if unknown:
        raise SettingsError(
            f"The database has schema {unknown[0]}, this program knows up to {REVISIONS[-1]}: run the newer version of Gatehouse"
        )
    return list(versions) == [REVISIONS[-1]]


def _upgrade(store: Store) -> None:
    engine = open_engine(store, patience=UPGRADE_PATIENCE)
    try:
        # SQLite's write lock is taken by BEGIN IMMEDIATE, PostgreSQL's by the advisory lock; either ends with the transaction.
        with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            if not _is_current(connection):
                _run_migrations(connection)
    finally:
        engine.dispose()


def _run_migrations(connection: Connection, *, to: str = "head") -> None:
    from alembic import command  # noqa: PLC0415  # a fifth of a second that a start with a current schema need not spend
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "gateway.store:migrations")
    command.upgrade(config, to)


def _where(store: Store, engine: Engine) -> str:
    if not store.database:
        return f"store.path: {engine.url.database}"
    return f"store.database: {engine.url.set(drivername='postgresql').render_as_string(hide_password=True)}"


def _reason(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    detail = original.args[0] if original.args else original
    if isinstance(detail, dict):  # PostgreSQL's error fields; "M" is its message
        detail = detail.get("M", "error")
    return str(detail).rstrip(".")
