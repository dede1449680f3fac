"""The first revision makes the table of API keys and nothing else."""

from __future__ import annotations

from sqlalchemy import inspect

from gateway.settings.tree import Store
from gateway.store.migrate import open_store
from gateway.store.migrations.versions import v0001_api_keys


def test_the_table_of_keys_has_its_columns_and_its_key(store: Store) -> None:
    engine = open_store(store)
    found = inspect(engine)
    columns = {column["name"]: column["nullable"] for column in found.get_columns("api_keys")}
    key = found.get_pk_constraint("api_keys")
    engine.dispose()
    required = dict.fromkeys(("id", "digest", "pepper", "tenant", "role", "created"), False)
    assert columns == required | dict.fromkeys(("app", "expires", "revoked"), True)
    assert (key["name"], key["constrained_columns"]) == ("pk_api_keys", ["id"])


def test_it_is_the_first() -> None:
    assert (v0001_api_keys.revision, v0001_api_keys.down_revision) == ("0001", None)
