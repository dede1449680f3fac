"""Run the migrations on the connection that `gateway.store.migrate` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from gateway.store.schema import metadata

# Alembic believes that SQLite cannot undo DDL; with a BEGIN of our own it can.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
