"""The table of tenants' keys, as the root key has wrapped them.

    tenant_keys(version, tenant, root, wrapped, made)

    version   a number that no other key of this store ever has or had, whatever is deleted
    root      the id of the root key that wraps it
    made      when, in seconds since 1970

A tenant's newest key wraps new records, older ones stay to open what they wrapped. Erasing a tenant is deleting its rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from gateway.audit.vault.database import Connect, Connection, Sync, close, connect, open_database, read_database, transaction
from gateway.audit.vault.layout import tenants_database
from gateway.store.durable import sync_folder

_TABLES: Final = (
    """
    CREATE TABLE tenant_keys (
        version INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL,
        root TEXT NOT NULL,
        wrapped BLOB NOT NULL,
        made INTEGER NOT NULL
    )
    """,
    "CREATE INDEX newest ON tenant_keys (tenant, version)",
)
_COLUMNS: Final = "version, tenant, root, wrapped"
_NEWEST: Final = f"SELECT {_COLUMNS} FROM tenant_keys WHERE tenant = ? ORDER BY version DESC LIMIT 1"  # noqa: S608  # ours
_ONE: Final = f"SELECT {_COLUMNS} FROM tenant_keys WHERE tenant = ? AND version = ?"  # noqa: S608  # ours
_NEXT: Final = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tenant_keys'), 0) + 1"
_INSERT: Final = "INSERT INTO tenant_keys (version, tenant, root, wrapped, made) VALUES (?, ?, ?, ?, ?)"

Wrap = Callable[[int], bytes]
"""Makes a new key, wrapped for a version."""


class WrappedKey(NamedTuple):
    """One row: a tenant's key as the root key of that id has wrapped it."""

    version: int
    tenant: str
    root: str
    wrapped: bytes


class TenantKeys:
    """The open table; for one thread at a time. Methods raise `sqlite3.Error`, and wait for the disk."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def roots(self) -> set[str]:
        """Return the ids of the root keys that wrap any key."""
        cursor = self._connection.execute("SELECT DISTINCT root FROM tenant_keys")
        return {root for (root,) in iter(cursor.fetchone, None)}

    def newest(self, tenant: str) -> WrappedKey | None:
        """Return a tenant's newest key, or None where it has none."""
        return _row(self._connection.execute(_NEWEST, (tenant,)).fetchone())

    def find(self, tenant: str, version: int) -> WrappedKey | None:
        """Return one key, or None where there is none, or no more."""
        return _row(self._connection.execute(_ONE, (tenant, version)).fetchone())

    def first(self, tenant: str, *, root: str, wrap: Wrap) -> WrappedKey:
        """Return a tenant's newest key, made durable where it has none: of several processes one makes it, all get that one."""
        found = self.newest(tenant)
        if found is None:
            with transaction(self._connection):
                found = self.newest(tenant) or self._add(tenant, root=root, wrap=wrap)
        return found

    def add(self, tenant: str, *, root: str, wrap: Wrap) -> WrappedKey:
        """Return a further key of a tenant, which is durable."""
        with transaction(self._connection):
            return self._add(tenant, root=root, wrap=wrap)

    def close(self) -> None:
        """Close the table."""
        close(self._connection)

    def _add(self, tenant: str, *, root: str, wrap: Wrap) -> WrappedKey:
        (version,) = self._connection.execute(_NEXT).fetchone()
        key = WrappedKey(version, tenant, root, wrap(version))
        self._connection.execute(_INSERT, (*key, int(time.time())))
        return key


def open_tenant_keys(store: Path, *, connect: Connect = connect, sync: Sync = sync_folder) -> TenantKeys:
    """Open the table under `store.path`, made on the first start; raises `sqlite3.Error` or `OSError`."""
    return TenantKeys(open_database(tenants_database(store), _TABLES, connect=connect, sync=sync))


def read_tenant_keys(store: Path) -> TenantKeys:
    """Open the table under `store.path` for reading only; raises `sqlite3.Error` where there is none."""
    return TenantKeys(read_database(tenants_database(store)))


def _row(row: tuple[int, str, str, bytes] | None) -> WrappedKey | None:
    return None if row is None else WrappedKey(*row)
