"""API keys under a pepper: they are made here and shown once, only their digest is kept."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine, insert

from gateway.caller.key import new_key
from gateway.caller.pepper import Pepper, load_pepper
from gateway.caller.table import DATABASE, KeyRecord, KeyTable
from gateway.errors import SettingsError
from gateway.exchange.caller import Role
from gateway.settings.tree import Store
from gateway.store.answering import answering
from gateway.store.engine import PATIENCE
from gateway.store.migrate import open_store
from gateway.store.schema import api_keys


def _unentered(_record: KeyRecord) -> None:
    """Enter nothing: the key is made by whoever has no log."""


class KeyStore(KeyTable):
    """The table of keys together with the pepper that they are stored under."""

    def __init__(self, engine: Engine, pepper: Pepper, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(engine, now=now)
        self.pepper = pepper

    def create(
        self,
        tenant: str,
        app: str | None = None,
        *,
        role: Role = "app",
        expires: int | None = None,
        enter: Callable[[KeyRecord], None] = _unentered,
    ) -> tuple[str, KeyRecord]:
        """Make a key and return its text, which cannot be had again, with its record. `expires` is in seconds since 1970.

        `enter` is called before the key counts; what it raises goes on to the caller, and then there is no key.
        """
        key = new_key()
        record = KeyRecord(
            id=key.id,
            digest=self.pepper.digest(key.text),
            pepper=self.pepper.id,
            tenant=tenant,
            app=app,
            role=role,
            created=int(self._now()),
            expires=expires,
            revoked=None,
        )
        values = {column.name: getattr(record, column.name) for column in api_keys.columns}
        with answering(DATABASE), self.engine.begin() as connection:
            connection.execute(insert(api_keys).values(values))
            enter(record)
        return key.text, record


def open_keys(store: Store, *, patience: float = PATIENCE) -> KeyStore:
    """Return the keys of a store, its database brought to the current schema and its pepper made on the first start.

    Waits for files and database: call it at start or from a thread. Raises `SettingsError` where store or pepper cannot be
    used, or where live keys were made under another pepper: they would all fail.
    """
    engine = open_store(store, patience=patience)
    try:
        return _under_pepper(engine, store)
    except BaseException:
        engine.dispose()
        raise


def _under_pepper(engine: Engine, store: Store) -> KeyStore:
    keys = KeyStore(engine, load_pepper(store.path, keys_exist=KeyTable(engine).any_live))
    if keys.any_live(not_under=keys.pepper.id):
        raise SettingsError(
            f"The pepper in {store.path} is not the one that the keys in the database were made under:"
            " restore it from a backup, or copy it from another node"
        )
    return keys
