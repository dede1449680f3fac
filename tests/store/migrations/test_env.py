"""The migrations lead to the schema that the program uses."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.settings.tree import Store
from gateway.store.migrate import open_store
from gateway.store.schema import metadata


def test_migrations_and_schema_do_not_differ(store: Store) -> None:
    engine = open_store(store)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []
