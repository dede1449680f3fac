"""The revisions, oldest first; `gateway.store.migrate.REVISIONS` lists them."""
