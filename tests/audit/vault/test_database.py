"""A database of keys waits for the disk, is private, and keeps nothing of what was deleted."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.vault.database import Connection, close, connect, open_database, read_database, transaction
from tests.audit.vault.kit import Disk, Faulty, Scripted

TABLES = ("CREATE TABLE k (id INTEGER PRIMARY KEY, secret BLOB)",)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "k.sqlite3"


def test_it_is_made_private_and_durable(path: Path) -> None:
    before = os.umask(0)
    try:
        connection = open_database(path, TABLES)
        connection.execute("INSERT INTO k VALUES (1, x'00')")
    finally:
        os.umask(before)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {
        "k.sqlite3": 0o600,
        "k.sqlite3-wal": 0o600,
        "k.sqlite3-shm": 0o600,
    }
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


def test_the_folders_names_are_synced(path: Path) -> None:
    disk = Disk()
    open_database(path, TABLES, sync=disk.files.sync_folder).close()
    assert disk.seen == {"folder": 2}


def test_the_wal_file_is_written_once_more_before_it_is_moved_into_the_database(path: Path) -> None:
    first = open_database(path, TABLES)
    first.execute("INSERT INTO k VALUES (1, x'AB')")
    wal = path.with_name("k.sqlite3-wal")
    sizes: list[tuple[Path, int]] = []
    open_database(path, TABLES, renew=lambda file: sizes.append((file, file.stat().st_size))).close()
    assert [file for file, _ in sizes] == [wal]
    assert sizes[0][1] > 0
    first.close()


def test_what_was_written_is_there_when_it_is_opened_again(path: Path) -> None:
    first = open_database(path, TABLES)
    first.execute("INSERT INTO k VALUES (1, x'AB')")
    first.close()
    again = open_database(path, TABLES)
    assert again.execute("SELECT * FROM k").fetchone() == (1, b"\xab")
    again.close()


def test_a_deleted_secret_is_nowhere_in_the_file(path: Path) -> None:
    secret = b"s3cret" * 5
    connection = open_database(path, TABLES)
    connection.executemany("INSERT INTO k VALUES (?, ?)", [(number, secret) for number in range(300)])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert secret in path.read_bytes()
    connection.execute("DELETE FROM k")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert secret not in path.read_bytes()
    assert path.with_name("k.sqlite3-wal").stat().st_size == 0
    connection.close()


@pytest.mark.parametrize(
    ("pragma", "answer", "words"),
    [
        ("PRAGMA journal_mode = WAL", ("delete",), "cannot do SQLite's WAL mode .it stays in 'delete'.: use a local disk"),
        ("PRAGMA synchronous", (1,), "does not wait for the disk"),
        ("PRAGMA secure_delete = ON", (0,), "does not overwrite what it deletes"),
        ("PRAGMA user_version", (2,), "have form 2, which a later version of Gatehouse made"),
    ],
)
def test_what_sqlite_tells_only_in_its_answer_is_heard(path: Path, pragma: str, answer: Any, words: str) -> None:
    made: list[Scripted] = []

    def scripted(path: Path) -> Scripted:
        made.append(Scripted(path, {pragma: answer}))
        return made[0]

    with pytest.raises(sqlite3.OperationalError, match=words):
        open_database(path, TABLES, connect=scripted)
    assert made[0].closed


def test_a_failure_of_the_folders_sync_is_heard(path: Path) -> None:
    disk, faulty = Disk(), Faulty()
    disk.fail("folder")
    with pytest.raises(OSError, match="Input/output error"):
        open_database(path, TABLES, connect=faulty.connect, sync=disk.files.sync_folder)
    assert (faulty.opened, faulty.closed) == (1, 1)


def test_after_a_failure_a_reader_must_not_keep_the_wal_file(path: Path) -> None:
    writer = open_database(path, TABLES)
    writer.execute("INSERT INTO k VALUES (1, x'00')")
    reader = read_database(path)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM k").fetchone() == (1,)
    writer.execute("INSERT INTO k VALUES (2, x'00')")

    def impatient(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=0, isolation_level=None)

    with pytest.raises(sqlite3.OperationalError, match="a reader holds the keys"):
        open_database(path, TABLES, connect=impatient, strict=True)
    open_database(path, TABLES, connect=impatient).close()
    reader.execute("ROLLBACK")
    open_database(path, TABLES, connect=impatient, strict=True).close()
    reader.close()
    writer.close()


def test_reading_makes_and_changes_nothing(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        read_database(path)
    open_database(path, TABLES).close()
    reader = read_database(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM k")
    reader.close()


def test_a_transaction_happens_whole_or_not_at_all(path: Path) -> None:
    connection = open_database(path, TABLES)
    with pytest.raises(sqlite3.IntegrityError), transaction(connection):
        connection.execute("INSERT INTO k VALUES (1, x'00')")
        connection.execute("INSERT INTO k VALUES (1, x'00')")
    assert connection.execute("SELECT count(*) FROM k").fetchone() == (0,)
    with transaction(connection):
        connection.execute("INSERT INTO k VALUES (1, x'00')")
    assert connection.execute("SELECT count(*) FROM k").fetchone() == (1,)
    connection.close()


def test_closing_never_fails() -> None:
    class Broken(Scripted):
        def close(self) -> None:
            super().close()
            raise sqlite3.OperationalError("disk I/O error")

    broken = Broken(Path(":memory:"), {})
    close(broken)
    assert broken.closed


def test_one_at_a_time_opens_a_database_in_a_folder(path: Path) -> None:
    open_database(path, TABLES).close()
    connected = threading.Event()

    def noted(path: Path) -> Connection:
        connected.set()
        return connect(path)

    other = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    thread = threading.Thread(target=lambda: open_database(path, TABLES, connect=noted).close())
    thread.start()
    assert not connected.wait(0.2)
    os.close(other)
    thread.join()
    assert connected.is_set()


def test_processes_that_open_a_new_one_at_once_all_can(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gateway.audit.vault.database import open_database\n"
        "sys.stdin.read(1)\n"
        f"open_database(Path(sys.argv[1]), {TABLES!r}).close()\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
    outcomes = [(process.communicate()[1], process.returncode) for process in started]
    assert [code for _, code in outcomes] == [0] * 4, outcomes
    connection = connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()
