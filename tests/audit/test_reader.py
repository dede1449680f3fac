"""Reading a log's database: what stands there, in bounded pieces, and nothing beside it touched."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.canonical import decode
from gateway.audit.entry import Genesis
from gateway.audit.frames import pack
from gateway.audit.layout import database, lock_file
from gateway.audit.merkle import leaf_hash
from gateway.audit.reader import ROWS, Reader, ReadError, Row, is_held
from tests.audit.generated import Traffic, change, generate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return generate(tmp_path, Traffic(20), batch=8)


@pytest.fixture
def reader(folder: Path) -> Iterator[Reader]:
    with closing(Reader(folder)) as opened:
        yield opened


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_rows_come_in_order_and_are_cut_into_entries(reader: Reader) -> None:
    rows = reader.rows(0, most=3)
    assert [row.first for row in rows] == [0, 8, 16]
    entries = [entry for row in rows for entry in row.cut()]
    assert [entry.index for entry in entries] == list(range(24))
    assert all(entry.intact for entry in entries)
    assert isinstance(decode(entries[0].data), Genesis)
    assert reader.rows_read == 3


def test_no_more_rows_are_read_at_once_than_memory_allows(tmp_path: Path) -> None:
    with closing(Reader(generate(tmp_path, Traffic(20), batch=1))) as reader:
        assert len(reader.rows(0)) == ROWS
        assert reader.rows(ROWS)[0].first == ROWS
        assert reader.rows(1000) == []


def entry(reader: Reader, index: int) -> int:
    """Read an entry that is there, and return the index that it says it has."""
    stored = reader.entry(index)
    assert stored is not None
    assert stored.intact
    return stored.index


def test_one_entry_is_read_with_its_row_once(reader: Reader) -> None:
    assert [entry(reader, index) for index in (9, 15, 8, 9)] == [9, 15, 8, 9]
    assert reader.rows_read == 1
    assert entry(reader, 40) == 40
    assert reader.last() == 40


@pytest.mark.parametrize("index", [45, -1, 2**40])
def test_an_entry_that_is_not_there_is_none(reader: Reader, index: int) -> None:
    assert reader.entry(index) is None


def test_an_entry_that_is_not_that_of_its_leaf_hash_is_never_returned(folder: Path, reader: Reader) -> None:
    change(folder, "UPDATE commits SET leaves = zeroblob(256) WHERE first = 8")
    with pytest.raises(ReadError, match="entry 9 is not what its leaf hash was made of"):
        reader.entry(9)
    assert entry(reader, 7) == 7


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"count": 0}, "its count is not a number above 0"),
        ({"count": None}, "its count is not a number above 0"),
        ({"count": 3}, "it has 64 bytes of leaf hashes for 3 entries"),
        ({"leaves": "text"}, "its leaf hashes or its entries are not bytes"),
        ({"entries": 7}, "its leaf hashes or its entries are not bytes"),
        ({"entries": pack([b"{}"])}, "it holds 1 entries instead of 2"),
        ({"entries": b"\x00\x05{}"}, "entry 0 of a piece of 4 bytes is cut off"),
    ],
)
def test_a_row_whose_columns_do_not_fit_is_not_cut(changed: dict[str, Any], text: str) -> None:
    pieces = [b"{}", b"[]"]
    whole = {"first": 4, "count": 2, "open": None, "leaves": b"".join(map(leaf_hash, pieces)), "entries": pack(pieces)}
    assert [entry.data for entry in Row(**whole).cut()] == pieces
    with pytest.raises(ReadError, match=text):
        Row(**(whole | changed)).cut()


def test_a_row_that_cannot_be_cut_is_named(folder: Path, reader: Reader) -> None:
    change(folder, "UPDATE commits SET entries = x'00' WHERE first = 16")
    with pytest.raises(ReadError, match="row 16: entry 0 of a piece"):
        reader.entry(17)


def test_a_log_that_nobody_writes_is_read_without_a_trace(folder: Path) -> None:
    before = files(folder)
    with closing(Reader(folder, mode="still")) as reader:
        assert entry(reader, 44) == 44
        assert reader.check() == []
    assert files(folder) == before


def test_what_a_crash_left_in_the_wal_file_is_read_without_a_trace(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    generate(tmp_path, Traffic(20), batch=8, copy=copy)
    before = files(copy)
    assert set(before) == {"log.sqlite3", "log.sqlite3-wal"}
    assert before["log.sqlite3-wal"]
    with closing(Reader(copy, mode="still")) as reader:
        assert entry(reader, 44) == 44
        assert reader.check() == []
    assert files(copy) == before


def test_a_reader_never_keeps_the_writer_from_starting_its_wal_file_afresh(folder: Path) -> None:
    writer = sqlite3.connect(database(folder), isolation_level=None)
    with closing(writer), closing(Reader(folder)) as reader:
        writer.execute("INSERT INTO commits VALUES (45, 1, NULL, zeroblob(32), x'0000')")
        assert reader.rows(45)[0].count == 1
        busy, *_ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0
        assert reader.rows(45)[0].count == 1


def test_a_database_that_its_process_had_not_yet_laid_out_is_an_empty_log(tmp_path: Path) -> None:
    database(tmp_path).touch()
    with closing(Reader(tmp_path)) as reader:
        assert (reader.rows(0), reader.row_of(0), reader.last()) == ([], None, None)


def test_an_empty_log_has_no_last_row(folder: Path) -> None:
    change(folder, "DELETE FROM commits")
    with closing(Reader(folder)) as reader:
        assert reader.last() is None


@pytest.mark.parametrize(
    ("statements", "text"),
    [
        (("PRAGMA user_version = 2",), "form 2, which a later version of Gatehouse made"),
        (("DROP TABLE commits",), "not that of a log"),
        (("PRAGMA user_version = 0",), "not that of a log"),
        (("DROP TABLE commits", "CREATE VIEW commits AS SELECT 1"), "not that of a log"),
    ],
)
def test_another_database_is_refused(folder: Path, statements: tuple[str, ...], text: str) -> None:
    change(folder, *statements)
    with pytest.raises(ReadError, match=text):
        Reader(folder)


def test_what_is_no_database_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=str(database(tmp_path))):
        Reader(tmp_path)
    database(tmp_path).write_bytes(b"no database" * 1000)
    for mode in ("shared", "still"):
        with pytest.raises(ReadError, match=str(database(tmp_path))):
            Reader(tmp_path, mode=mode)


def test_what_sqlite_finds_damaged_is_told(folder: Path) -> None:
    with database(folder).open("r+b") as file:
        file.seek(4096 + 7)  # how many bytes of the table's page are free in pieces
        file.write(b"\x09")
    with closing(Reader(folder, mode="still")) as reader:
        assert ["page 2" in text for text in reader.check()] == [True]


def test_a_database_that_sqlite_cannot_read_is_told_as_damaged(folder: Path) -> None:
    with database(folder).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 64)
    with closing(Reader(folder, mode="still")) as reader:
        assert ["malformed" in text for text in reader.check()] == [True]
        with pytest.raises(ReadError, match="malformed"):
            reader.rows(0)


def test_a_slot_is_held_while_a_process_has_its_lock(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    lock = os.open(lock_file(tmp_path), os.O_RDWR | os.O_CREAT, 0o600)
    assert not is_held(tmp_path)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert is_held(tmp_path)
    os.close(lock)
    assert not is_held(tmp_path)
