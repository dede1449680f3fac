"""The second revision makes the table of labels' moves, which can only be added to."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from gateway.settings.tree import Store
from gateway.store.migrate import open_store
from gateway.store.migrations.versions import v0001_api_keys, v0002_label_moves

INSERT = """
INSERT INTO label_moves (seq, prompt, label, version, percent, sticky, "by", why, at)
VALUES (1, 'a/b', 'production', 'v1', 0, 'caller', 'os:ada', '', 1)
"""


def test_the_table_of_moves_has_its_columns_its_key_and_its_index(store: Store) -> None:
    engine = open_store(store)
    found = inspect(engine)
    columns = {column["name"]: column["nullable"] for column in found.get_columns("label_moves")}
    key, indexes = found.get_pk_constraint("label_moves"), found.get_indexes("label_moves")
    engine.dispose()
    required = dict.fromkeys(("seq", "prompt", "label", "version", "percent", "sticky", "by", "why", "at"), False)
    assert columns == required | dict.fromkeys(("canary", "report", "before"), True)
    assert (key["name"], key["constrained_columns"]) == ("pk_label_moves", ["seq"])
    assert [(index["name"], index["column_names"]) for index in indexes] == [("ix_label_moves_prompt_label", ["prompt", "label"])]


@pytest.mark.parametrize("statement", ["UPDATE label_moves SET why = 'x'", "DELETE FROM label_moves", "TRUNCATE label_moves"])
def test_a_move_can_neither_be_changed_nor_deleted(store: Store, statement: str) -> None:
    engine = open_store(store)
    with engine.begin() as connection:
        connection.execute(text(INSERT))
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text(statement))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version, why FROM label_moves")).all() == [("v1", "")]
    engine.dispose()


def test_a_number_is_given_once(store: Store) -> None:
    engine = open_store(store)
    with engine.begin() as connection:
        connection.execute(text(INSERT))
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text(INSERT))
    engine.dispose()


def test_it_follows_the_first() -> None:
    assert (v0002_label_moves.revision, v0002_label_moves.down_revision) == ("0002", v0001_api_keys.revision)
