"""The engines keep their promises: durable, private, bounded waits, clear refusals."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sqlite3
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from gateway.errors import SettingsError
from gateway.settings.tree import Store
from gateway.store.engine import open_engine, prepare_sqlite
from tests.store.postgres import Cluster

ONLY_LINUX = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux shows its locks")


@contextlib.contextmanager
def engine_of(store: Store, *, patience: float = 2.0) -> Iterator[Engine]:
    engine = open_engine(store, patience=patience)
    try:
        yield engine
    finally:
        engine.dispose()


def ask(engine: Engine, question: str) -> object:
    with engine.connect() as connection:
        return connection.execute(text(question)).scalar_one()


@pytest.mark.parametrize(
    ("pragma", "answer"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 1500)]
)
def test_every_sqlite_connection_is_durable_and_patient(tmp_path: Path, pragma: str, answer: object) -> None:
    with engine_of(Store(path=tmp_path), patience=1.5) as engine, engine.connect(), engine.connect() as second:
        assert second.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == answer


def test_a_file_system_that_refuses_wal_is_refused(tmp_path: Path) -> None:
    says = r"store\.path: .* cannot do SQLite's WAL mode .*'memory'"
    with contextlib.closing(sqlite3.connect(":memory:")) as connection, pytest.raises(SettingsError, match=says):
        (tmp_path / "lock").touch()
        prepare_sqlite(connection, where="/mnt/share/state.sqlite3", lock=tmp_path / "lock")


@ONLY_LINUX
def test_a_new_file_is_switched_to_wal_by_one_at_a_time(tmp_path: Path) -> None:
    def waiting() -> bool:
        inode = (tmp_path / "state.lock").stat().st_ino
        return any("-> FLOCK" in line and f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())

    engine = open_engine(Store(path=tmp_path))
    waited = False
    second = threading.Thread(target=ask, args=(engine, "SELECT count(*) FROM sqlite_master"))
    with (tmp_path / "state.lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        second.start()
        while second.is_alive() and not waited:
            waited = waiting()
    second.join()
    engine.dispose()
    assert waited


def test_connections_that_open_a_new_file_at_the_same_moment_all_get_wal(tmp_path: Path) -> None:
    together = threading.Barrier(4)
    failures: list[BaseException] = []

    def open_each() -> None:
        for n in range(25):
            together.wait(timeout=20)
            try:
                with engine_of(Store(path=tmp_path / str(n))) as engine:
                    ask(engine, "SELECT count(*) FROM sqlite_master")
            except DBAPIError as error:
                failures.append(error)

    threads = [threading.Thread(target=open_each) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@ONLY_LINUX
def test_opening_the_store_again_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    def locks() -> list[str]:
        inode = (tmp_path / "state.sqlite3").stat().st_ino
        held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return [" ".join(words[1:]) for words in held if words[4] == str(os.getpid()) and words[5].endswith(f":{inode}")]

    with engine_of(Store(path=tmp_path)) as engine, engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        before = locks()
        assert before
        open_engine(Store(path=tmp_path))
        assert locks() == before


def test_nobody_but_the_owner_can_read_the_database(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with engine_of(Store(path=tmp_path / "deep" / "var")) as engine:
            ask(engine, "SELECT count(*) FROM sqlite_master")
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE made (x INTEGER)"))
            modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "deep" / "var").iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("state.sqlite3", "state.sqlite3-wal", "state.sqlite3-shm", "state.lock"), 0o600)
    assert (tmp_path / "deep" / "var").stat().st_mode & 0o777 == 0o700


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    with pytest.raises(SettingsError, match=r"^store\.path: .*/var cannot be written: File exists$"):
        open_engine(Store(path=tmp_path / "var"))


def test_ddl_is_undone_with_its_transaction(store: Store) -> None:
    with engine_of(store) as engine:
        with engine.connect() as connection:
            connection.execute(text("CREATE TABLE half (x INTEGER)"))
            connection.rollback()
        with pytest.raises(DBAPIError):
            ask(engine, "SELECT count(*) FROM half")


def test_foreign_keys_hold(store: Store) -> None:
    with engine_of(store) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
            connection.execute(text("CREATE TABLE child (parent INTEGER REFERENCES parent (id))"))
        with engine.connect() as connection, pytest.raises((IntegrityError, DBAPIError), match=r"FOREIGN KEY|foreign key"):
            connection.execute(text("INSERT INTO child VALUES (1)"))


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    with engine_of(Store(path=tmp_path), patience=0.01) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE numbers (x INTEGER)"))
        with engine.begin() as writer:
            writer.execute(text("INSERT INTO numbers VALUES (1)"))
            assert ask(engine, "SELECT count(*) FROM numbers") == 0


def test_a_lock_is_waited_for_no_longer_than_patience(tmp_path: Path) -> None:
    with engine_of(Store(path=tmp_path), patience=0.05) as engine:
        immediate = engine.execution_options(begin="BEGIN IMMEDIATE")
        with immediate.begin():
            started = time.monotonic()
            with pytest.raises(OperationalError, match="locked"), immediate.begin():
                pass
    assert time.monotonic() - started < 2


def test_postgresql_that_accepts_and_says_nothing_is_waited_for_no_longer_than_patience(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://someone@127.0.0.1:{silent.getsockname()[1]}/db?sslmode=disable"
        with engine_of(Store(path=tmp_path, database=address), patience=0.2) as engine:
            started = time.monotonic()
            with pytest.raises((DBAPIError, OSError)):
                engine.connect()
    assert time.monotonic() - started < 5


def test_a_connection_whose_answer_came_too_late_is_never_used_again(
    postgres: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with engine_of(Store(path=tmp_path, database=postgres.new_database()), patience=0.3) as engine:
        with pytest.raises((DBAPIError, OSError)):
            ask(engine, "SELECT 1 FROM pg_sleep(0.6)")
        assert [ask(engine, f"SELECT {n}") for n in range(8)] == list(range(8))
    assert caplog.messages == []  # neither a traceback of the pool's


def test_connections_that_the_server_closed_are_replaced(postgres: Cluster, tmp_path: Path) -> None:
    address = postgres.new_database()
    with engine_of(Store(path=tmp_path, database=address)) as engine:
        first = ask(engine, "SELECT pg_backend_pid()")
        with engine_of(Store(path=tmp_path, database=address)) as other:
            ask(other, f"SELECT pg_terminate_backend({first}, 5000)")
        assert ask(engine, "SELECT pg_backend_pid()") != first


def test_postgresql_is_reached_through_a_socket_in_a_folder(postgres: Cluster, tmp_path: Path) -> None:
    name = postgres.new_database().rpartition("/")[2]
    address = f"postgresql://gatehouse@:{postgres.port}/{name}?host={postgres.folder}"
    with engine_of(Store(path=tmp_path, database=address)) as engine:
        assert ask(engine, "SELECT inet_server_addr() IS NULL") is True
        assert ask(engine, "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()") == "gatehouse"


@pytest.mark.parametrize(
    ("mode", "encrypted"), [("disable", False), ("prefer", True), ("require", True), ("verify-ca", True), ("verify-full", True)]
)
def test_sslmode_means_what_it_means_to_libpq(postgres: Cluster, tmp_path: Path, mode: str, encrypted: bool) -> None:
    if not postgres.certificate.exists():
        pytest.skip("openssl is missing: no certificate could be made.")
    root = f"&sslrootcert={postgres.certificate}" if mode.startswith("verify") else ""
    address = f"{postgres.new_database()}?sslmode={mode}{root}"
    with engine_of(Store(path=tmp_path, database=address)) as engine:
        assert ask(engine, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is encrypted


def test_an_unknown_certificate_is_refused_where_it_is_to_be_verified(postgres: Cluster, tmp_path: Path) -> None:
    store = Store(path=tmp_path, database=f"{postgres.new_database()}?sslmode=verify-full")
    with engine_of(store) as engine, pytest.raises(ssl.SSLError):
        engine.connect()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://", "user or database is missing"),
        ("postgresql://someone@host", "user or database is missing"),
        ("postgresql://host/db", "user or database is missing"),
        ("postgresql://someone:s3cret@host:port/db", "not an address"),
        ("postgresql+psycopg://someone:s3cret@host/db", r"'postgresql\+psycopg' is not known"),
        ("mysql://someone:s3cret@host/db", "'mysql' is not known"),
        ("postgresql://someone:s3cret@host/db?options=x", "the option 'options' is not known; there are host, sslmode"),
        ("postgresql://someone:s3cret@host/db?sslmode=maybe", "sslmode 'maybe' is not known; there are disable, "),
        ("postgresql://someone:s3cret@host/db?sslmode=require&sslmode=disable", "the option 'sslmode' stands there more"),
        ("postgresql://someone:s3cret@host/db?sslmode=verify-ca&sslrootcert=/nowhere", "sslrootcert /nowhere holds no"),
    ],
)
def test_a_wrong_address_is_refused_without_quoting_its_password(tmp_path: Path, address: str, says: str) -> None:
    store = Store(path=tmp_path).model_copy(update={"database": address})
    with pytest.raises(SettingsError, match=rf"^store\.database: .*{says}") as caught:
        open_engine(store)
    assert "s3cret" not in str(caught.value)


def test_a_missing_driver_is_said_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pg8000", None)
    with pytest.raises(SettingsError, match=r"^store\.database: .*install 'gatehouse\[postgres\]'$"):
        open_engine(Store(path=tmp_path, database="postgresql://someone@host/db"))
