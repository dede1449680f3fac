from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from gateway.audit.disk import Disk, Space, Standing, is_full, space
from gateway.audit.layout import ballast_file
from tests.audit.faulty import sqlite_error

MIB = 2**20


class Gauge:
    """A disk of 100 MiB that is as full as a test says, the ballast apart."""

    def __init__(self, percent: int) -> None:
        self.percent = percent

    def measure(self, folder: Path) -> Space:
        used = self.percent * MIB
        if ballast_file(folder).exists():
            used += ballast_file(folder).stat().st_size
        return Space(used, 100 * MIB - used)


@pytest.mark.parametrize(
    ("percent", "condition"),
    [(0, "ok"), (79, "ok"), (80, "warning"), (94, "warning"), (95, "refusing"), (100, "refusing")],
)
def test_operators_are_warned_at_80_percent_and_begins_refused_at_95(tmp_path: Path, percent: int, condition: str) -> None:
    disk = Disk(tmp_path, ballast=0, measure=Gauge(percent).measure)
    assert disk.standing() == Standing(condition, percent)  # type: ignore[arg-type]


def test_a_part_of_a_percent_counts_as_one() -> None:
    assert Space(used=1, free=999).percent == 1
    assert Space(used=0, free=10).percent == 0
    assert Space(used=0, free=0).percent == 0


def test_ballast_takes_real_space_and_gives_it_back(tmp_path: Path) -> None:
    disk = Disk(tmp_path, ballast=MIB, measure=Gauge(10).measure)
    disk.standing()
    found = ballast_file(tmp_path).stat()
    assert found.st_size == MIB
    assert found.st_blocks * 512 >= MIB
    assert found.st_mode & 0o777 == 0o600
    disk.drop_ballast()
    assert not ballast_file(tmp_path).exists()
    disk.drop_ballast()


def test_ballast_is_taken_in_only_where_it_leaves_room(tmp_path: Path) -> None:
    gauge = Gauge(94)
    disk = Disk(tmp_path, ballast=MIB, measure=gauge.measure)
    disk.standing()
    assert not ballast_file(tmp_path).exists()
    gauge.percent = 93
    assert disk.standing() == Standing("warning", 94)
    assert ballast_file(tmp_path).exists()
    gauge.percent = 99
    assert disk.standing() == Standing("refusing", 100)
    assert ballast_file(tmp_path).exists()


def test_the_space_that_dropped_ballast_left_is_not_for_begins(tmp_path: Path) -> None:
    gauge = Gauge(80)
    disk = Disk(tmp_path, ballast=6 * MIB, measure=gauge.measure)
    assert disk.standing() == Standing("warning", 86)
    gauge.percent = 92
    disk.drop_ballast()
    assert disk.standing() == Standing("refusing", 98)
    gauge.percent = 95
    assert disk.standing() == Standing("refusing", 100)
    gauge.percent = 40
    assert disk.standing() == Standing("ok", 46)
    assert ballast_file(tmp_path).exists()


def test_ballast_is_a_small_part_of_a_small_file_system(tmp_path: Path) -> None:
    Disk(tmp_path, measure=lambda _: Space(0, 24 * MIB)).standing()
    assert ballast_file(tmp_path).stat().st_size == 24 * MIB // 16


def test_a_ballast_that_cannot_be_had_is_done_without(tmp_path: Path) -> None:
    disk = Disk(tmp_path, ballast=2**62, measure=lambda _: Space(0, 2**63))
    assert disk.standing().condition == "ok"
    assert list(tmp_path.iterdir()) == []
    assert disk.standing().condition == "ok"


def test_space_is_that_of_the_file_system(tmp_path: Path) -> None:
    found = space(tmp_path)
    assert found.used > 0
    assert found.free > 0
    with pytest.raises(OSError, match="No such file"):
        space(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), True),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), True),
        (OSError(errno.EIO, os.strerror(errno.EIO)), False),
        (sqlite_error("SQLITE_FULL"), True),
        (sqlite_error("SQLITE_IOERR_WRITE"), False),
        (sqlite3.OperationalError("without a name"), False),
    ],
    ids=repr,
)
def test_an_error_tells_whether_space_is_what_is_missing(error: Exception, full: bool) -> None:
    assert is_full(error) is full
