"""Power cuts under the table of record keys alone, after a sync that failed: one thread, so that a round can be repeated."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from gateway.audit.vault.records import RecordKeys, WrappedRecordKey, open_record_keys
from tests.fault.power import Disk, DiskConnection, DiskVFS, renewing

pytestmark = pytest.mark.xdist_group("power cuts")

DAY = "2026-11-24"
FAULTS = (sqlite3.Error, OSError)


def unsynced(_folder: Path) -> None:
    """Leave a folder to the disk, which forgets no names."""


def acknowledged(folder: Path, disk: Disk, chance: random.Random) -> set[bytes]:
    """Add keys until the power goes, opening anew after a failure, and return which were acknowledged."""
    vfs = DiskVFS("keys", disk)
    connect = partial(DiskConnection, vfs="keys")
    opening = partial(open_record_keys, folder, "0", connect=connect, sync=unsynced, renew=renewing(disk))
    keys, told = opening(), set[bytes]()
    disk.cut_in, disk.fail_in = chance.randint(1, 200), chance.randint(1, 8)
    with contextlib.suppress(*FAULTS):
        while True:
            rows = [WrappedRecordKey(chance.randbytes(16), "acme", 1, b"k" * 40, DAY, 0) for _ in range(chance.randint(1, 20))]
            try:
                keys.add(rows, sure={DAY: 0})
                told |= {row.id for row in rows}
            except FAULTS:
                keys.close()
                if disk.off:
                    raise
                keys = opening(strict=True)
    assert disk.off
    keys.close()
    vfs.unregister()
    return told


def missing(keys: RecordKeys, told: set[bytes]) -> int:
    with contextlib.closing(keys):
        return sum(keys.find(each) is None for each in told)


@pytest.mark.parametrize("cuts", [pytest.param(300), pytest.param(3000, marks=pytest.mark.fault)])
def test_no_acknowledged_key_is_lost(tmp_path: Path, cuts: int) -> None:
    for number in range(cuts):
        chance = random.Random(number)  # noqa: S311  # when, and which sectors
        disk, folder, image = Disk(chance), tmp_path / "cache", tmp_path / "disk"
        folder.mkdir()
        told = acknowledged(folder, disk, chance)
        disk.put_down(folder, image)
        assert missing(open_record_keys(image, "0", sync=unsynced, renew=unsynced), told) == 0, number
        shutil.rmtree(folder)
        shutil.rmtree(image, ignore_errors=True)
