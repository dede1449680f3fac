"""Tenants' keys, unwrapped and at hand.

Invariants
- A tenant's first key is made by one process; all others use that one.
- Once a tenant's key was read, `held` waits for nothing; a rotation by another process shows after `refresh`.
- A failed connection is closed and never used again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gateway.audit.vault.database import Connect, Sync, connect
from gateway.audit.vault.errors import PayloadErased
from gateway.audit.vault.layout import root_file, tenants_database
from gateway.audit.vault.recordkey import TenantKey, new_secret
from gateway.audit.vault.root import Root, load_root
from gateway.audit.vault.tenants import TenantKeys, WrappedKey, open_tenant_keys, read_tenant_keys
from gateway.errors import SettingsError
from gateway.store.durable import sync_folder

T = TypeVar("T")


class Keyring:
    """The keys of all tenants. Methods but `held` wait for the disk; they may be called from several threads.

    `open_table` opens the table anew after a failure. Methods raise `sqlite3.Error`, `OSError` or `PayloadError`.
    """

    def __init__(self, root: Root, table: TenantKeys, *, open_table: Callable[[], TenantKeys]) -> None:
        self._root = root
        self._table: TenantKeys | None = table
        self._open_table = open_table
        self._closed = False
        self._newest: dict[str, TenantKey] = {}
        self._lock = threading.Lock()

    def held(self, tenant: str) -> TenantKey | None:
        """Return the tenant's key for new records, or None where it was not read yet."""
        return self._newest.get(tenant)

    def prepare(self, tenant: str) -> TenantKey:
        """Return the tenant's key for new records; its first one is made and durable before this returns."""
        return self.held(tenant) or self.refresh(tenant)

    def refresh(self, tenant: str) -> TenantKey:
        """Return the tenant's key for new records as it stands now, whoever made it."""
        return self._keep(tenant, lambda table: table.first(tenant, root=self._root.id, wrap=self._new(tenant)))

    def rotate(self, tenant: str) -> TenantKey:
        """Return a new key of the tenant, durable and used from now on; its older ones stay to open what they wrapped."""
        return self._keep(tenant, lambda table: table.add(tenant, root=self._root.id, wrap=self._new(tenant)))

    def find(self, tenant: str, version: int) -> TenantKey:
        """Return one key of the tenant; raises `PayloadErased` where there is none, or no more."""
        found = self._ask(lambda table: table.find(tenant, version))
        if found is None:
            raise PayloadErased(f"there is no key {version} of tenant {tenant!r}")
        return self._unwrap(found)

    def close(self) -> None:
        """Forget all keys and close the table."""
        with self._lock:
            self._closed = True
            self._newest.clear()
            self._drop()

    def _keep(self, tenant: str, take: Callable[[TenantKeys], WrappedKey]) -> TenantKey:
        key = self._newest[tenant] = self._unwrap(self._ask(take))
        return key

    def _ask(self, question: Callable[[TenantKeys], T]) -> T:
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError("the keys are closed")
            if self._table is None:
                self._table = self._open_table()
            try:
                return question(self._table)
            except sqlite3.Error:
                self._drop()
                raise

    def _drop(self) -> None:
        table, self._table = self._table, None
        if table is not None:
            table.close()

    def _new(self, tenant: str) -> Callable[[int], bytes]:
        return lambda version: self._root.wrap(new_secret(), tenant=tenant, version=version)

    def _unwrap(self, key: WrappedKey) -> TenantKey:
        secret = self._root.unwrap(key.wrapped, tenant=key.tenant, version=key.version)
        return TenantKey(key.tenant, key.version, secret=secret)


def open_keyring(store: Path, *, connect: Connect = connect, sync: Sync = sync_folder) -> Keyring:
    """Open the keys under `store.path`; the root key is made on the first start. Raises `SettingsError`."""
    return _open(store, lambda: open_tenant_keys(store, connect=connect, sync=sync), new=True)


def read_keyring(store: Path) -> Keyring:
    """Open the keys under `store.path` to open payloads with; nothing is made. Raises `SettingsError`."""
    return _open(store, lambda: read_tenant_keys(store), new=False)


def _open(store: Path, open_table: Callable[[], TenantKeys], *, new: bool) -> Keyring:
    try:
        table = open_table()
    except (sqlite3.Error, OSError) as error:
        raise SettingsError(f"store.path: {tenants_database(store)} cannot be opened: {_words(error)}") from error
    try:
        root = _root_over(table, store, new=new)
    except sqlite3.Error as error:
        table.close()
        raise SettingsError(f"store.path: {tenants_database(store)} cannot be read: {_words(error)}") from error
    except BaseException:
        table.close()
        raise
    return Keyring(root, table, open_table=open_table)


def _root_over(table: TenantKeys, store: Path, *, new: bool) -> Root:
    roots = table.roots()
    root = load_root(store, keys_exist=lambda: bool(roots) or not new)
    if roots and root.id not in roots:
        raise SettingsError(
            f"The root key {root_file(store)} wraps none of the keys in {tenants_database(store)}: restore the one that does"
        )
    return root


def _words(error: sqlite3.Error | OSError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
