"""What was appended is on the disk, and stays there whatever fails afterwards."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from gateway.audit.vault.dayfile import MOST_PIECES, DayFile, Files
from gateway.audit.vault.frame import header
from tests.audit.vault.kit import Disk, flipped


def frame(number: int, size: int = 10) -> list[bytes]:
    blob = bytes([number]) * size
    return [header(bytes([number]) * 16, hashlib.sha256(blob).digest(), length=size), blob]


def joined(*numbers: int) -> bytes:
    return b"".join(b"".join(frame(number)) for number in numbers)


def opened(folder: Path, disk: Disk | None = None, *, sure: int = 0) -> DayFile:
    return DayFile(folder / "payloads" / "0" / "day", sure=sure, files=disk.files if disk else Files())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payloads" / "0" / "day"


def test_frames_stand_one_after_the_other_in_a_private_file(tmp_path: Path, path: Path) -> None:
    before = os.umask(0)
    try:
        file = opened(tmp_path)
        assert (file.end, file.ready()) == (0, 0)
        file.append(frame(1))
        file.append([*frame(2), *frame(3)])
    finally:
        os.umask(before)
    assert file.end == file.ready() == len(joined(1, 2, 3))
    file.close()
    file.close()
    assert path.read_bytes() == joined(1, 2, 3)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_acknowledged_before_the_disk_has_it(tmp_path: Path) -> None:
    disk = Disk()
    file = opened(tmp_path, disk)
    file.ready()
    assert disk.seen == {"sync": 2, "folder": 3}  # once before it looks, once when it is in order; every folder up to the store
    file.append(frame(1))
    assert disk.seen == {"sync": 3, "folder": 3, "write": 1}
    file.close()


def test_it_is_opened_again_when_it_is_needed(tmp_path: Path, path: Path) -> None:
    file = opened(tmp_path)
    file.append(frame(1))
    file.close()
    file.append(frame(2))
    file.close()
    assert path.read_bytes() == joined(1, 2)


def test_more_pieces_than_one_call_takes_are_written(tmp_path: Path, path: Path) -> None:
    file = opened(tmp_path)
    numbers = [number % 200 for number in range(MOST_PIECES + 7)]
    file.append([piece for number in numbers for piece in frame(number)])
    file.close()
    assert path.read_bytes() == joined(*numbers)


def test_a_disk_that_takes_a_part_at_a_time_gets_all(tmp_path: Path, path: Path) -> None:
    disk = Disk(short=True)
    file = opened(tmp_path, disk)
    file.append([*frame(1), *frame(2), *frame(3)])
    file.append(frame(4))
    file.close()
    assert path.read_bytes() == joined(1, 2, 3, 4)
    assert disk.seen["write"] > 10


def test_a_tail_torn_at_any_byte_is_cut_off_and_nothing_else(tmp_path: Path, path: Path) -> None:
    path.parent.mkdir(parents=True)
    sure, acknowledged, whole = len(joined(1)), len(joined(1, 2)), joined(1, 2, 3, 4)
    for size in range(acknowledged, len(whole)):
        path.write_bytes(whole[:size])
        file = opened(tmp_path, sure=sure)
        kept = 3 if size >= len(joined(1, 2, 3)) else 2
        assert file.ready() == len(joined(*range(1, kept + 1)))
        file.append(frame(9))
        file.close()
        assert path.read_bytes() == joined(*range(1, kept + 1), 9)


def test_junk_behind_the_frames_is_cut_off(tmp_path: Path, path: Path) -> None:
    path.parent.mkdir(parents=True)
    for junk in (bytes(5000), b"GHP1", b"GHP1" * 50, flipped(joined(3), 0) + joined(4), flipped(joined(3), 8 * 65) + joined(4)):
        path.write_bytes(joined(1, 2) + junk)
        file = opened(tmp_path, sure=len(joined(1)))
        assert file.ready() == len(joined(1, 2))
        file.close()
        assert path.read_bytes() == joined(1, 2)


def test_damage_before_what_is_sure_is_left_as_it_is(tmp_path: Path, path: Path) -> None:
    path.parent.mkdir(parents=True)
    damaged = flipped(joined(1, 2, 3), 8 * 10)
    path.write_bytes(damaged)
    file = opened(tmp_path, sure=len(joined(1, 2)))
    file.append(frame(4))
    file.close()
    assert path.read_bytes() == damaged + joined(4)


def test_a_file_that_is_shorter_than_it_was_is_gone_on_with(tmp_path: Path, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(joined(1))
    file = opened(tmp_path, sure=len(joined(1, 2, 3)))
    file.append(frame(4))
    file.close()
    assert path.read_bytes() == joined(1, 4)


@pytest.mark.parametrize("torn", [0, 1, 60, 100, len(joined(2)), len(joined(2)) + 30])
def test_after_a_failed_write_it_goes_on_where_what_was_acknowledged_ends(tmp_path: Path, path: Path, torn: int) -> None:
    disk = Disk(torn=torn, error=errno.ENOSPC)
    file = opened(tmp_path, disk)
    file.append(frame(1))
    disk.fail("write")
    with pytest.raises(OSError, match="No space left"):
        file.append([*frame(2), *frame(3)])
    assert file.end == len(joined(1))
    file.append(frame(4))
    file.close()
    assert path.read_bytes() == joined(1, 4)


def test_after_a_failed_sync_the_file_is_opened_anew_and_its_tail_read_and_written_again(tmp_path: Path, path: Path) -> None:
    disk = Disk()
    file = opened(tmp_path, disk)
    file.append(frame(1))
    before = dict(disk.seen)
    handle = file._handle
    disk.fail("sync")
    with pytest.raises(OSError, match="Input/output error"):
        file.append(frame(2))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)
    assert file.ready() == len(joined(1))
    assert path.read_bytes() == joined(1)
    # The failed append wrote and synced once; opening synced before it looked, wrote the tail, synced again.
    assert disk.seen["write"] - before["write"] == 2
    assert disk.seen["sync"] - before["sync"] == 3
    file.append(frame(3))
    file.close()
    assert path.read_bytes() == joined(1, 3)


@pytest.mark.parametrize("failing", ["sync", "folder"])
def test_an_opening_that_fails_is_tried_anew(tmp_path: Path, path: Path, failing: str) -> None:
    disk = Disk()
    disk.fail(failing)
    file = opened(tmp_path, disk)
    with pytest.raises(OSError, match="Input/output error"):
        file.append(frame(1))
    file.append(frame(1))
    file.close()
    assert path.read_bytes() == joined(1)


@pytest.mark.parametrize("byte", [0, 59, 65, len(joined(1)) + 5, len(joined(1, 2)) - 1])
def test_nothing_is_appended_to_a_file_that_lost_what_was_acknowledged(tmp_path: Path, path: Path, byte: int) -> None:
    disk = Disk()
    file = opened(tmp_path, disk)
    file.append([*frame(1), *frame(2)])
    disk.fail("sync")
    with pytest.raises(OSError, match="Input/output error"):
        file.append(frame(3))
    path.write_bytes(flipped(path.read_bytes(), 8 * byte))
    damaged = path.read_bytes()
    for _ in range(2):
        with pytest.raises(OSError, match="does not hold what was written"):
            file.append(frame(4))
    assert path.read_bytes() == damaged


def test_a_failure_of_another_kind_closes_the_file_too(tmp_path: Path, path: Path) -> None:
    file = opened(tmp_path)
    file.append(frame(1))
    with pytest.raises(TypeError):
        file.append([b"half", None])  # type: ignore[list-item]
    file.append(frame(2))
    file.close()
    assert path.read_bytes() == joined(1, 2)


def test_a_link_is_not_followed(tmp_path: Path, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        opened(tmp_path).append(frame(1))
    assert not (tmp_path / "elsewhere").exists()
