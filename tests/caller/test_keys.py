"""A key is shown once, kept only as a digest, and tied to its pepper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.caller.key import parse
from gateway.caller.keys import KeyStore, open_keys
from gateway.caller.pepper import Pepper
from gateway.caller.table import KeyTable
from gateway.errors import SettingsError, Unavailable
from gateway.settings.tree import Store
from gateway.store.migrate import open_store

NOW = 1_800_000_000


@contextmanager
def opened(store: Store) -> Iterator[KeyStore]:
    keys = open_keys(store)
    try:
        yield keys
    finally:
        keys.close()


def test_a_created_key_is_found_with_the_digest_of_its_text(store: Store) -> None:
    with opened(store) as keys:
        shown, record = keys.create("acme", "billing", role="operator", expires=NOW)
        assert keys.find(record.id) == record
    assert (record.tenant, record.app, record.role, record.expires, record.revoked) == ("acme", "billing", "operator", NOW, None)
    assert record.digest == keys.pepper.digest(shown)
    parts = parse(shown)
    assert parts is not None
    assert parts.id == record.id


def test_a_key_is_a_tenants_app_key_for_ever_where_nothing_else_is_said(store: Store) -> None:
    engine = open_store(store)
    _, record = KeyStore(engine, Pepper(bytes(32)), now=lambda: NOW + 0.9).create("acme")
    engine.dispose()
    assert (record.app, record.role, record.created, record.expires) == (None, "app", NOW, None)


def test_nothing_on_the_disk_holds_the_key(tmp_path: Path) -> None:
    with opened(Store(path=tmp_path)) as keys:
        shown, record = keys.create("acme")
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert record.id.encode() in files
    assert shown.encode() not in files
    assert shown[17:60].encode() not in files


def test_keys_outlive_the_process(store: Store) -> None:
    with opened(store) as keys:
        shown, record = keys.create("acme")
    with opened(store) as again:
        assert again.find(record.id) == record
        assert again.pepper.digest(shown) == record.digest


def test_a_lost_pepper_is_an_error_while_live_keys_exist(store: Store) -> None:
    with opened(store) as keys:
        _, record = keys.create("acme")
    (store.path / "pepper").unlink()
    with pytest.raises(SettingsError, match="is missing while keys exist: restore it from a backup"):
        open_keys(store)
    table = KeyTable(open_store(store))
    table.revoke(record.id)
    table.close()
    with opened(store) as anew:
        assert anew.pepper.id != keys.pepper.id


def test_another_pepper_is_an_error_while_live_keys_exist(store: Store) -> None:
    with opened(store) as keys:
        keys.create("acme")
    (store.path / "pepper").write_bytes(bytes(32))
    with pytest.raises(SettingsError, match="is not the one that the keys in the database were made under"):
        open_keys(store)


def test_a_dead_database_makes_no_key(store: Store) -> None:
    with opened(store) as keys:
        with keys.engine.begin() as connection:
            connection.execute(text("DROP TABLE api_keys"))
        with pytest.raises(Unavailable):
            keys.create("acme")
