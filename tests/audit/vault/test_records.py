"""A record's key is found until its row is deleted."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.audit.vault.records import RecordKeys, WrappedRecordKey, open_record_keys, read_record_keys
from tests.audit.vault.kit import DAY, Disk, Faulty

KEYS = [WrappedRecordKey(bytes([number]) * 16, "acme", 1, bytes(40), DAY, 100 * number) for number in range(5)]


@pytest.fixture
def table(tmp_path: Path) -> RecordKeys:
    return open_record_keys(tmp_path, "0")


def test_keys_and_how_far_files_are_durable_are_there_together(tmp_path: Path, table: RecordKeys) -> None:
    assert table.sure(DAY) == 0
    table.add(KEYS[:3], sure={DAY: 700})
    table.close()
    again = open_record_keys(tmp_path, "0")
    assert [again.find(key.id) for key in KEYS] == [*KEYS[:3], None, None]
    assert (again.sure(DAY), again.sure("2026-11-25")) == (700, 0)
    again.close()


def test_what_is_sure_moves_on(table: RecordKeys) -> None:
    table.add((), sure={DAY: 700, "2026-11-25": 5})
    table.add((), sure={DAY: 900})
    assert (table.sure(DAY), table.sure("2026-11-25")) == (900, 5)
    table.close()


def test_a_failed_batch_leaves_nothing(tmp_path: Path) -> None:
    faulty = Faulty()
    table = open_record_keys(tmp_path, "0", connect=faulty.connect)
    faulty.failing = "INSERT INTO days"
    with pytest.raises(sqlite3.OperationalError):
        table.add(KEYS, sure={DAY: 700})
    assert table.find(KEYS[0].id) is None
    table.close()


def test_what_a_failed_write_left_behind_is_replaced(table: RecordKeys) -> None:
    table.add(KEYS, sure={})
    table.add([KEYS[0]._replace(at=7)], sure={})
    assert table.find(KEYS[0].id) == KEYS[0]._replace(at=7)
    table.close()


def test_a_slot_has_a_table_of_its_own(tmp_path: Path, table: RecordKeys) -> None:
    table.add(KEYS, sure={})
    other = open_record_keys(tmp_path, "1", sync=Disk().files.sync_folder, strict=True)
    assert other.find(KEYS[0].id) is None
    other.close()
    table.close()


def test_a_reader_sees_what_is_there_while_it_is_written(tmp_path: Path, table: RecordKeys) -> None:
    table.add(KEYS[:1], sure={})
    reader = read_record_keys(tmp_path, "0")
    table.add(KEYS[1:2], sure={})
    assert [reader.find(key.id) for key in KEYS[:3]] == [KEYS[0], KEYS[1], None]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.add(KEYS, sure={})
    reader.close()
    table.close()


@pytest.mark.parametrize("count", [1, 7, 8, 9, 32, 41, 75])
def test_however_many_keys_come_together_each_is_there(table: RecordKeys, count: int) -> None:
    keys = [WrappedRecordKey(number.to_bytes(16, "big"), "acme", 1, bytes([number]) * 40, DAY, number) for number in range(count)]
    table.add(keys, sure={DAY: 0})
    assert [table.find(each.id) for each in keys] == keys
    assert table.find(count.to_bytes(16, "big")) is None
    table.close()
