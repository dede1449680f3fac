"""A WAL file that is damaged is not taken for a shorter one, as SQLite takes it."""

from __future__ import annotations

import random
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.verify.wal import checksum, damage
from tests.audit.vault.kit import flipped

FRAME = 24 + 4096


@pytest.fixture
def wal(tmp_path: Path) -> Path:
    """Return a WAL file of six transactions, as a process leaves it that is killed."""
    path = tmp_path / "a.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        for number in range(5):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        copy = tmp_path / "copy-wal"
        copy.write_bytes((tmp_path / "a.sqlite3-wal").read_bytes())
    return copy


def test_a_whole_one_has_no_damage(wal: Path) -> None:
    assert wal.stat().st_size == 32 + 7 * FRAME
    assert damage(wal) is None


def test_every_flipped_bit_before_the_last_frame_is_found_with_its_place(wal: Path) -> None:
    whole = wal.read_bytes()
    chance = random.Random(7)  # noqa: S311  # which bits to flip
    for _ in range(300):
        bit = chance.randrange(8 * (32 + 6 * FRAME))
        wal.write_bytes(flipped(whole, bit))
        found = damage(wal)
        assert found is not None
        place = bit // 8 - 32
        assert ("header" in found) if place < 0 else found.startswith(f"frame {place // FRAME + 1} ")


@pytest.mark.parametrize("length", [0, 7, 31, 32, 32 + 100, 32 + FRAME, 32 + 3 * FRAME + 50])
def test_one_that_was_cut_short_by_a_crash_has_no_damage(wal: Path, length: int) -> None:
    wal.write_bytes(wal.read_bytes()[:length])
    assert damage(wal) is None


def test_one_whose_header_never_reached_the_disk_has_no_damage(wal: Path) -> None:
    wal.write_bytes(bytes(32 + FRAME))
    assert damage(wal) is None


def test_frames_of_an_earlier_round_are_no_damage(wal: Path) -> None:
    whole = wal.read_bytes()
    other = bytearray(whole)
    for number in range(4, 7):  # their salts are others
        other[32 + number * FRAME + 8] ^= 1
    wal.write_bytes(other)
    assert damage(wal) is None


@pytest.mark.parametrize(
    "header", [b"\x37\x7f\x06\x80" + bytes(28), b"\x37\x7f\x06\x82" + bytes(4) + b"\x00\x00\x01\x01" + bytes(20)]
)
def test_a_header_that_is_none_is_damage(wal: Path, header: bytes) -> None:
    wal.write_bytes(header)
    assert damage(wal) == "the header is damaged: nothing in the file can be read"


def test_the_checksum_is_that_of_sqlite_in_both_byte_orders() -> None:
    assert checksum(struct.pack(">4I", 1, 2, 3, 4), (0, 0), big_endian=True) == (7, 14)
    assert checksum(struct.pack("<4I", 1, 2, 3, 4), (0, 0), big_endian=False) == (7, 14)
    assert checksum(struct.pack("<2I", 2**32 - 1, 1), (5, 6), big_endian=False) == (10, 17)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        damage(tmp_path / "nothing")
