"""The tables, one schema for SQLite and PostgreSQL; `migrations` brings a database there.

Times are whole seconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("pepper", String(16), nullable=False),
    Column("tenant", String(128), nullable=False),
    Column("app", String(128)),
    Column("role", String(32), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
)
"""API keys: `digest` is HMAC-SHA256 of the whole key under the pepper whose id is `pepper`; the key itself is nowhere."""

label_moves = Table(
    "label_moves",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("prompt", String(129), nullable=False),
    Column("label", String(64), nullable=False),
    Column("version", String(16), nullable=False),
    Column("canary", String(16)),
    Column("percent", Integer, nullable=False),
    Column("sticky", String(16), nullable=False),
    Column("by", String(256), nullable=False),
    Column("why", String(1024), nullable=False),
    Column("report", String(256)),
    Column("at", BigInteger, nullable=False),
    Column("before", String(16)),
    Index(None, "prompt", "label"),
)
"""Moves of labels, numbered from 1 without a gap; the latest of a label holds. The database refuses to change or delete one."""
