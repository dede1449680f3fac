"""The tables mean the same in both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, create_mock_engine, insert, select
from sqlalchemy.exc import DBAPIError

from gateway.settings.tree import Store
from gateway.store.migrate import open_store
from gateway.store.schema import api_keys, label_moves, metadata

KEY = {
    "id": "abcdefghijkl",
    "digest": bytes(range(32)),
    "pepper": "0123456789abcdef",
    "tenant": "Größe & Co",
    "app": None,
    "role": "app",
    "created": 2**40,
    "expires": None,
    "revoked": None,
}

MOVE = {
    "seq": 2**40,
    "prompt": "support/triage",
    "label": "production",
    "version": "v8",
    "canary": None,
    "percent": 0,
    "sticky": "caller",
    "by": "os:größe",
    "why": "Größe & Co.",
    "report": None,
    "at": 2**40,
    "before": None,
}


@pytest.fixture
def engine(store: Store) -> Engine:
    return open_store(store)


def test_a_key_comes_back_as_it_was_stored(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(api_keys).values(KEY))
    with engine.connect() as connection:
        row = connection.execute(select(api_keys)).one()
    engine.dispose()
    assert row._asdict() | {"digest": bytes(row.digest)} == KEY


@pytest.mark.parametrize("column", ["digest", "pepper", "tenant", "role", "created"])
def test_what_a_key_must_have_cannot_be_left_out(engine: Engine, column: str) -> None:
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(insert(api_keys).values(KEY | {column: None}))
    engine.dispose()


def test_a_move_comes_back_as_it_was_stored(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(label_moves).values(MOVE))
    with engine.connect() as connection:
        row = connection.execute(select(label_moves)).one()
    engine.dispose()
    assert row._asdict() == MOVE


@pytest.mark.parametrize("column", ["prompt", "label", "version", "percent", "sticky", "by", "why", "at"])
def test_what_a_move_must_have_cannot_be_left_out(engine: Engine, column: str) -> None:
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(insert(label_moves).values(MOVE | {column: None}))
    engine.dispose()


def test_an_id_stands_there_once(engine: Engine) -> None:
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(insert(api_keys), [KEY, KEY])
    engine.dispose()


def test_the_tables_need_nothing_that_one_engine_lacks(tmp_path: Path) -> None:
    for address in (f"sqlite:///{tmp_path}/x", "postgresql+pg8000://"):
        statements: list[object] = []
        mock = create_mock_engine(address, lambda statement, *_, said=statements: said.append(statement))
        metadata.create_all(mock, checkfirst=False)
        assert len(statements) == len(metadata.tables) + sum(len(table.indexes) for table in metadata.tables.values())
