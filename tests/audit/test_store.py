"""The store, and the three traps of SQLite that fault injection once found: each has a test that says so."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.batch import Batch, Stall
from gateway.audit.canonical import encode
from gateway.audit.entry import Entry
from gateway.audit.layout import database
from gateway.audit.queue import BATCH, SNAPSHOT, Queue
from gateway.audit.store import FORM, Store, StoreError, connect, open_store
from tests.audit.entries import access, begin, end, exchange_id, exchange_ids
from tests.audit.faulty import Faults, FaultyConnection, failing_sync


def write(store: Store, queue: Queue) -> None:
    while (batch := queue.swap()) is not None:
        store.write(batch)
        queue.settle(batch)


def filled(folder: Path, *entries: Entry, first: int = 0) -> Store:
    store = open_store(folder)
    queue = Queue(first, {}, stall=Stall())
    for each in entries:
        queue.enter(each)
    write(store, queue)
    return store


def test_what_was_written_is_there_after_opening_anew(tmp_path: Path) -> None:
    entries: list[Entry] = [begin(exchange_id(1)), begin(exchange_id(2)), end(exchange_id(1), 0)]
    filled(tmp_path, *entries).close()
    store = open_store(tmp_path)
    tail = store.tail()
    assert (tail.next, tail.last, tail.open) == (3, encode(entries[2]), {exchange_id(2): 1})
    assert [store.entry(index) for index in range(-1, 4)] == [None, *(encode(each) for each in entries), None]
    assert store.leaf(3) is None
    store.close()


def test_a_new_log_is_empty(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    tail = store.tail()
    assert (tail.next, tail.last, tail.open) == (0, b"", {})
    assert store.entry(0) is None
    store.close()


def test_entries_and_leaf_hashes_are_found_in_any_row(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    queue = Queue(0, {}, stall=Stall())
    pendings = []
    for number in range(40):
        pendings.append(queue.enter(access(str(number))))
        if number % 7 == 0:
            write(store, queue)
    write(store, queue)
    assert [store.entry(index) for index in range(40)] == [encode(access(str(number))) for number in range(40)]
    assert [store.leaf(index) for index in range(40)] == [each.leaf_hash for each in pendings]
    store.close()


def test_a_start_reads_no_more_than_what_came_after_the_last_list_of_open_exchanges(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    queue = Queue(0, {}, stall=Stall())
    still_open: dict[str, int] = {}
    for number, exchange in zip(range(SNAPSHOT), exchange_ids(), strict=False):
        index = queue.enter(begin(exchange)).index
        if number % 3:
            queue.enter(end(exchange, index))
        else:
            still_open[exchange] = index
        if queue.length >= BATCH // 4:
            write(store, queue)
    write(store, queue)
    store.close()
    with sqlite3.connect(database(tmp_path)) as other:
        # Rows before the last list are not read: nobody notices here that one is damaged.
        (last,) = other.execute("SELECT max(first) FROM commits WHERE open IS NOT NULL").fetchone()
        assert last > SNAPSHOT
        other.execute("DROP TRIGGER never_changed")
        other.execute("UPDATE commits SET entries = x'00' WHERE first < ?", (last,))
    other.close()
    with closing(open_store(tmp_path)) as again:
        assert again.tail().open == still_open


def test_only_the_owner_can_read_a_log(tmp_path: Path) -> None:
    store = filled(tmp_path, access())
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["log.sqlite3", "log.sqlite3-shm", "log.sqlite3-wal"]
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}
    store.close()


def test_the_database_refuses_to_change_or_delete_a_row(tmp_path: Path) -> None:
    filled(tmp_path, access()).close()
    other = sqlite3.connect(database(tmp_path))
    for statement in ("UPDATE commits SET count = 2", "DELETE FROM commits", "INSERT INTO commits VALUES (0, 1, NULL, x'', x'')"):
        with pytest.raises(sqlite3.IntegrityError):
            other.execute(statement)
    other.close()


def test_trap_1_a_switch_to_wal_that_did_not_happen_is_noticed(tmp_path: Path) -> None:
    faults = Faults()
    faults.answers["PRAGMA journal_mode"] = ("delete",)
    with pytest.raises(StoreError, match="cannot do SQLite's WAL mode"):
        open_store(tmp_path, connect=faults.connect)
    assert (faults.opened, faults.closed) == (1, 1)


def test_trap_1_a_log_that_does_not_wait_for_the_disk_is_noticed(tmp_path: Path) -> None:
    faults = Faults()
    faults.answers["PRAGMA synchronous"] = (1,)
    with pytest.raises(StoreError, match="does not wait for the disk"):
        open_store(tmp_path, connect=faults.connect)


def test_the_log_runs_in_wal_mode_and_waits_for_the_disk(tmp_path: Path) -> None:
    seen = []

    def spying(path: Path) -> sqlite3.Connection:
        found = connect(path)
        assert isinstance(found, sqlite3.Connection)
        seen.append(found)
        return found

    store = open_store(tmp_path, connect=spying)
    assert seen[0].execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert seen[0].execute("PRAGMA synchronous").fetchone() == (2,)
    assert not seen[0].in_transaction
    store.close()


@pytest.mark.parametrize("above", range(3))
def test_trap_2_a_folder_that_cannot_be_synced_is_noticed(tmp_path: Path, above: int) -> None:
    folder = tmp_path / "log" / "0"
    folder.mkdir(parents=True)
    bad = [folder, folder.parent, tmp_path][above]
    with pytest.raises(OSError, match="Input/output"):
        open_store(folder, sync=failing_sync(lambda each: each == bad))


def test_trap_2_the_folder_is_synced_when_the_wal_file_is_in_it(tmp_path: Path) -> None:
    """Also on the second start: SQLite deletes the file when a log is closed and makes it anew."""
    seen: list[bool] = []

    def sync(folder: Path) -> None:
        if folder == tmp_path:
            seen.append(tmp_path.joinpath("log.sqlite3-wal").exists())

    for _ in range(2):
        open_store(tmp_path, sync=sync).close()
        assert not tmp_path.joinpath("log.sqlite3-wal").exists()
    assert seen == [True, True]


def test_trap_3_what_a_failed_write_left_is_moved_out_of_the_wal_file(tmp_path: Path) -> None:
    """After a failed fsync the WAL file's cached and durable contents may differ: nothing may be added behind them."""
    faults = Faults()
    first = open_store(tmp_path, connect=faults.connect)
    faults.next_write = "after"
    batch = Batch(0, Stall())
    batch.add(encode(access()), bytes(32), sealed=None, undo=None)
    with pytest.raises(sqlite3.OperationalError):
        first.write(batch)
    # The process goes on with a new handle while the old one still holds the file, as at its worst.
    wal = tmp_path / "log.sqlite3-wal"
    assert wal.stat().st_size > 0
    second = open_store(tmp_path, strict=True)
    assert wal.stat().st_size == 0
    assert second.tail().next == 1
    first.close()
    second.close()


def test_trap_3_what_the_cache_holds_is_written_once_more_before_it_is_moved(tmp_path: Path) -> None:
    """A power cut in the middle of the move would else leave parts of a commit that the WAL file never durably held."""
    faults = Faults()
    first = open_store(tmp_path, connect=faults.connect)
    faults.next_write = "after"
    batch = Batch(0, Stall())
    batch.add(encode(access()), bytes(32), sealed=None, undo=None)
    with pytest.raises(sqlite3.OperationalError):
        first.write(batch)
    seen: list[int] = []

    def renew(wal: Path) -> None:
        assert wal == tmp_path / "log.sqlite3-wal"
        seen.append(wal.stat().st_size)
        other = sqlite3.connect(database(tmp_path), timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()

    open_store(tmp_path, renew=renew, strict=True).close()
    assert len(seen) == 1
    assert seen[0] > 0
    first.close()


def test_trap_3_a_wal_file_that_cannot_be_written_once_more_is_noticed(tmp_path: Path) -> None:
    def renew(_: Path) -> None:
        raise OSError(5, "Input/output error")

    faults = Faults()
    with pytest.raises(OSError, match="Input/output"):
        open_store(tmp_path, connect=faults.connect, renew=renew)
    assert faults.opened == faults.closed


def test_trap_3_a_handle_that_has_failed_is_not_used_again(tmp_path: Path) -> None:
    """The control of the fake itself: it finds out who does."""
    faults = Faults()
    connection = faults.connect(tmp_path / "log.sqlite3")
    assert isinstance(connection, FaultyConnection)
    faults.next_write = "SQLITE_FULL"
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("INSERT")
    with pytest.raises(AssertionError, match="used again"):
        connection.execute("ROLLBACK")
    connection.close()


def test_a_reader_that_keeps_the_wal_file_is_an_error_only_after_a_failure(tmp_path: Path) -> None:
    filled(tmp_path, access()).close()
    reader = sqlite3.connect(database(tmp_path), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM commits").fetchone()
    writer = filled(tmp_path, access(), first=1)

    def impatient(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=0.01, isolation_level=None)

    open_store(tmp_path, connect=impatient).close()
    with pytest.raises(StoreError, match="a reader holds the log"):
        open_store(tmp_path, connect=impatient, strict=True)
    reader.close()
    open_store(tmp_path, connect=impatient, strict=True).close()
    writer.close()


def test_a_log_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    filled(tmp_path, access()).close()
    other = sqlite3.connect(database(tmp_path))
    other.execute(f"PRAGMA user_version = {FORM + 1}")
    other.close()
    with pytest.raises(StoreError, match="a later version of Gatehouse"):
        open_store(tmp_path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE commits SET entries = x'0005' || substr(entries, 3)", "entry 0 is damaged"),
        ("UPDATE commits SET entries = x'00027b7d'", "entry 0 is damaged"),
        ("UPDATE commits SET count = 2, leaves = zeroblob(64)", "entry 0 is damaged"),
        ("UPDATE commits SET open = x'7b', first = 0", "entry 0 is damaged"),
        ("UPDATE commits SET first = 5, open = NULL", "entries from 0 to 4 are missing"),
    ],
)
def test_a_damaged_tail_is_named_and_not_gone_on_from(tmp_path: Path, damage: str, words: str) -> None:
    filled(tmp_path, begin(exchange_id(1))).close()
    other = sqlite3.connect(database(tmp_path), isolation_level=None)
    other.execute("DROP TRIGGER never_changed")
    other.execute("UPDATE commits SET open = NULL")
    other.execute(damage)
    other.close()
    store = open_store(tmp_path)
    with pytest.raises(StoreError, match=words):
        store.tail()
    store.close()


def test_closing_never_fails(tmp_path: Path) -> None:
    class Stubborn:
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
            raise NotImplementedError

        def close(self) -> None:
            raise sqlite3.OperationalError("disk I/O error")

    Store(Stubborn()).close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208
