"""Shared engines: SQL through SQLAlchemy Core, Redis; schema and migrations."""
