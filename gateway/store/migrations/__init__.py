"""Alembic's folder: `env` connects it, `versions` holds one file a revision."""
