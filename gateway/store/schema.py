"""The tables, one schema for SQLite and PostgreSQL; `migrations` brings a database there.

Times are whole seconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table

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
