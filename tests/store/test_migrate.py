"""Migrations are atomic, safe to start together, and free when there is nothing to do."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from gateway.errors import SettingsError
from gateway.settings.tree import Store
from gateway.store.engine import open_engine
from gateway.store.migrate import _ADVISORY_LOCK, REVISIONS, _run_migrations, migrate, open_store
from tests.store.postgres import Cluster

TABLES = {"alembic_version", "api_keys", "label_moves"}
START = """
import sys
from gateway.settings.tree import Store
from gateway.store.migrate import open_store
print("imported", flush=True)
sys.stdin.readline()
engine = open_store(Store(path=sys.argv[1], database=sys.argv[2]))
with engine.connect() as connection:
    print(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all(), "alembic" in sys.modules)
engine.dispose()
"""


@contextmanager
def opened(store: Store) -> Iterator[Engine]:
    engine = open_store(store)
    try:
        yield engine
    finally:
        engine.dispose()


def start(store: Store) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", START, str(store.path), store.database]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "imported\n"
    return process


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_an_empty_database_gets_every_table(store: Store) -> None:
    with opened(store) as engine:
        assert tables(engine) == TABLES


def test_processes_that_start_together_all_find_the_schema(store: Store) -> None:
    processes = [start(store) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=50) for process in processes]
    assert [(process.returncode, answer[1]) for process, answer in zip(processes, answers, strict=True)] == [(0, "")] * 4
    assert {answer[0].partition("]")[0] for answer in answers} == {f"['{REVISIONS[-1]}'"}


def test_an_upgrade_of_postgresql_waits_for_the_one_under_way(postgres: Cluster, tmp_path: Path) -> None:
    store = Store(path=tmp_path, database=postgres.new_database())
    engine = open_engine(store)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    waited = False
    second = threading.Thread(target=migrate, args=(store, engine))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        second.start()
        while second.is_alive() and not waited:
            waited = connection.execute(waiting).scalar_one() == 1
    second.join()
    assert waited
    assert tables(engine) == TABLES
    engine.dispose()


def test_a_current_database_does_not_load_alembic(store: Store) -> None:
    with opened(store):
        pass
    answer, _ = start(store).communicate("go\n", timeout=50)
    assert answer == f"['{REVISIONS[-1]}'] False\n"


def test_what_was_there_stays(store: Store) -> None:
    with opened(store) as engine, engine.begin() as connection:
        connection.execute(
            text("INSERT INTO api_keys (id, digest, pepper, tenant, role, created) VALUES ('a', '', 'p', 't', 'app', 1)")
        )
    with opened(store) as engine, engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM api_keys")).scalars().all() == ["a"]


def test_an_older_database_is_brought_up_to_date_with_what_is_in_it(store: Store) -> None:
    engine = open_engine(store)
    with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
        _run_migrations(connection, to="0001")
        connection.execute(
            text("INSERT INTO api_keys (id, digest, pepper, tenant, role, created) VALUES ('a', '', 'p', 't', 'app', 1)")
        )
    assert tables(engine) == TABLES - {"label_moves"}
    migrate(store, engine)
    assert tables(engine) == TABLES
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM api_keys")).scalars().all() == ["a"]
    engine.dispose()


def test_an_upgrade_that_breaks_off_leaves_nothing(store: Store) -> None:
    engine = open_engine(store)
    with engine.execution_options(begin="BEGIN IMMEDIATE").connect() as connection:
        transaction = connection.begin()
        _run_migrations(connection)
        assert "api_keys" in inspect(connection).get_table_names()
        transaction.rollback()
    assert tables(engine) == set()
    migrate(store, engine)
    assert tables(engine) == TABLES
    engine.dispose()


def test_a_database_of_a_newer_program_is_refused_and_left_alone(store: Store) -> None:
    with opened(store) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="schema 9999, this program knows up to 0002: run the newer version"):
        open_store(store)


def test_the_list_of_revisions_is_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", "gateway.store:migrations")
    script = ScriptDirectory.from_config(config)
    assert tuple(reversed([revision.revision for revision in script.walk_revisions()])) == REVISIONS
    assert script.get_heads() == [REVISIONS[-1]]


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite3").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(SettingsError, match=r"^store\.path: .*state\.sqlite3 cannot be used: file is not a database$"):
        open_store(Store(path=tmp_path))


def test_a_postgresql_that_is_not_there_is_refused_without_its_password(tmp_path: Path) -> None:
    store = Store(path=tmp_path, database="postgresql://someone:s3cret@127.0.0.1:1/db")
    with pytest.raises(
        SettingsError, match=r"^store\.database: postgresql://someone:\*\*\*@127\.0\.0\.1:1/db cannot be used: "
    ) as caught:
        open_store(store)
    assert "s3cret" not in str(caught.value)


def test_what_postgresql_says_is_passed_on_in_its_words(postgres: Cluster, tmp_path: Path) -> None:
    missing = Store(path=tmp_path, database=postgres.new_database() + "_missing")
    with pytest.raises(SettingsError, match=r'cannot be used: database "test_\w+_missing" does not exist$'):
        open_store(missing)
