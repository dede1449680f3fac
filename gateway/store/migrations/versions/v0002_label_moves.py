"""Moves of labels, which are only added."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_REFUSE = "CREATE TRIGGER label_moves_never_{0}d BEFORE {0} ON label_moves BEGIN SELECT RAISE(ABORT, 'moves are only added'); END"
_SQLITE = (_REFUSE.format("update"), _REFUSE.format("delete"))
_POSTGRESQL = (
    """
    CREATE FUNCTION label_moves_only_added() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'moves are only added'; END $$
    """,
    """
    CREATE TRIGGER label_moves_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON label_moves
    FOR EACH STATEMENT EXECUTE FUNCTION label_moves_only_added()
    """,
)


def upgrade() -> None:
    op.create_table(
        "label_moves",
        sa.Column("seq", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("prompt", sa.String(129), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("version", sa.String(16), nullable=False),
        sa.Column("canary", sa.String(16)),
        sa.Column("percent", sa.Integer, nullable=False),
        sa.Column("sticky", sa.String(16), nullable=False),
        sa.Column("by", sa.String(256), nullable=False),
        sa.Column("why", sa.String(1024), nullable=False),
        sa.Column("report", sa.String(256)),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("before", sa.String(16)),
        sa.PrimaryKeyConstraint("seq", name="pk_label_moves"),
    )
    op.create_index("ix_label_moves_prompt_label", "label_moves", ["prompt", "label"])
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)
