"""Power cuts: what was acknowledged is on the disk with its payload and key, whatever sectors were not."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from gateway.audit.batch import Batch, Stall
from gateway.audit.contract import Sealed
from gateway.audit.layout import slot_folder
from gateway.audit.merkle import leaf_hash
from gateway.audit.place import Known, Place, Seams
from gateway.audit.queue import Queue
from gateway.audit.store import Store, StoreError
from gateway.audit.vault.blob import id_bytes
from gateway.audit.vault.dayfile import Files
from gateway.audit.vault.errors import PayloadError
from gateway.audit.vault.layout import payload_file
from gateway.audit.vault.payloads import Payloads
from gateway.audit.vault.reader import read_blob
from gateway.audit.vault.records import read_record_keys
from tests.audit.entries import begin, exchange_id
from tests.fault.power import Disk, DiskConnection, DiskVFS, files, renewing

pytestmark = pytest.mark.xdist_group("power cuts")

DAY = "2026-11-24"
OPERATIONS = 400
"""Writes and syncs before a cut, at most."""
SYNCS = 16
"""Syncs before one that fails, at most."""
FAULTS = (sqlite3.Error, OSError, StoreError)


@dataclass
class Acknowledged:
    """What a process was told is durable: leaf hashes by index, and payloads."""

    leaves: dict[int, bytes] = field(default_factory=dict)
    sealed: list[Sealed] = field(default_factory=list)

    def take(self, first: int, leaves: list[bytes], sealed: list[Sealed]) -> None:
        self.leaves |= dict(enumerate(leaves, first))
        self.sealed += sealed


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a process does not wait for the disk: SQLite's `synchronous` of log and keys, and payload files unsynced."""

    synchronous: str = "FULL"
    keys: str = "FULL"
    payloads: bool = False


FAITHFUL = Lazy()


class Round:
    """One process that writes until the power goes."""

    def __init__(self, folder: Path, chance: random.Random, lazy: Lazy) -> None:
        self.acknowledged = Acknowledged()
        self.disk = Disk(chance)
        self._chance = chance
        self._vfs = DiskVFS("cut", self.disk)
        self._ids = map(exchange_id, itertools.count(1))
        slot = slot_folder(folder, "0")
        slot.mkdir(parents=True)
        connect = partial(DiskConnection, vfs="cut", synchronous=lazy.synchronous)
        self._place = Place(slot, Seams(connect=connect, sync=lambda _folder: None, renew=renewing(self.disk), ballast=0))
        on = files(self.disk)
        on = replace(on, sync=lambda _handle: None) if lazy.payloads else on
        self._payloads = Payloads(folder, "0", files=on, connect=partial(DiskConnection, vfs="cut", synchronous=lazy.keys))

    def run(self, *, failing_sync: bool) -> None:
        store, tail = self._place.open()
        self._payloads.prepare(DAY)
        self.disk.cut_in = self._chance.randint(1, OPERATIONS)
        self.disk.fail_in = self._chance.randint(1, SYNCS) if failing_sync else None
        known = Known(tail.next, b"")
        with contextlib.suppress(*FAULTS):
            while not self.disk.off:
                store, known = self._step(store, known)
        assert self.disk.off
        store.close()
        self._payloads.close()
        self._vfs.unregister()

    def _step(self, store: Store, known: Known) -> tuple[Store, Known]:
        """Write a batch as the log's thread does, payloads first; return what to go on with."""
        batch, sealed = self._batch(known.durable)
        leaves = list(batch.leaves)
        try:
            self._payloads.write(sealed)
            store.write(batch)
        except FAULTS:
            store.close()
            if self.disk.off:
                raise
            return self._recover(known, leaves, sealed)
        self.acknowledged.take(batch.first, leaves, sealed)
        return store, Known(batch.following, leaves[-1])

    def _recover(self, known: Known, leaves: list[bytes], sealed: list[Sealed]) -> tuple[Store, Known]:
        doubtful = Known(known.durable, known.last_leaf, doubtful=len(leaves))
        store, tail = self._place.reopen(doubtful, full=False) if known.durable else self._place.open(strict=True)
        if tail.next == known.durable:
            return store, known
        self.acknowledged.take(known.durable, leaves, sealed)  # what is found after a failure stays
        return store, Known(tail.next, leaves[-1])

    def _batch(self, first: int) -> tuple[Batch, list[Sealed]]:
        queue = Queue(first, {}, stall=Stall())
        sealed = []
        for _ in range(self._chance.randint(1, 20)):
            exchange = next(self._ids)
            sealed.append(payload(exchange, self._chance.randbytes(self._chance.randint(1, 3000))))
            queue.enter(begin(exchange), sealed[-1])
        batch = queue.swap()
        assert batch is not None
        return batch, sealed


def payload(exchange: str, blob: bytes) -> Sealed:
    return Sealed(exchange, "acme", blob, b"k" * 40, 1, hashlib.sha256(blob).digest(), DAY)


def missing(folder: Path, acknowledged: Acknowledged) -> int:
    """Open what the disk holds after a cut as the next process does, and count what was acknowledged and is not there."""
    slot = slot_folder(folder, "0")
    slot.mkdir(parents=True, exist_ok=True)
    quick = Seams(sync=lambda _folder: None, renew=lambda _file: None, ballast=0)
    try:
        store, _tail = Place(slot, quick).open()
    except FAULTS:
        return len(acknowledged.leaves)
    with contextlib.closing(store):
        assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        entries = ((index, store.entry(index)) for index in acknowledged.leaves)
        lost = sum(entry is None or leaf_hash(entry) != acknowledged.leaves[index] for index, entry in entries)
    try:
        return lost + sum(not there for there in _payloads(folder, acknowledged.sealed))
    except FAULTS:
        return lost + len(acknowledged.sealed)


def _payloads(folder: Path, sealed: list[Sealed]) -> Iterator[bool]:
    """Tell of each payload whether it is there with its key."""
    store = Payloads(folder, "0", files=Files(sync=lambda _handle: None, sync_folder=lambda _folder: None))
    store.prepare(DAY)
    store.close()
    with contextlib.closing(read_record_keys(folder, "0")) as keys:
        for each in sealed:
            exchange = id_bytes(each.exchange_id)
            key = keys.find(exchange)
            try:
                blob = read_blob(payload_file(folder, "0", day=DAY), exchange, digest=each.digest, hint=key.at if key else 0)
            except PayloadError:
                yield False
            else:
                yield blob == each.blob and key is not None and key.wrapped == each.wrapped_key


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """Give a folder in memory, where there is such a thing: what is a disk here is simulated."""
    memory = Path("/dev/shm")  # noqa: S108  # as a place for speed only
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def losses(base: Path, cuts: int, disk: Lazy = FAITHFUL, *, failing_sync: bool = False) -> tuple[int, int]:
    """Cut the power so often; return how much was acknowledged in all, and in how many rounds some of it was lost."""
    acknowledged = bad = 0
    for number in range(cuts):
        folder, image = base / "cache", base / "disk"
        each = Round(folder, random.Random(number), disk)  # noqa: S311  # when, and which sectors
        each.run(failing_sync=failing_sync)
        each.disk.put_down(folder, image)
        bad += missing(image, each.acknowledged) > 0
        acknowledged += len(each.acknowledged.leaves)
        shutil.rmtree(folder)
        shutil.rmtree(image, ignore_errors=True)
    return acknowledged, bad


@pytest.mark.parametrize("failing_sync", [False, True], ids=["cut", "cut after a sync that failed"])
@pytest.mark.parametrize("cuts", [pytest.param(150), pytest.param(2500, marks=pytest.mark.fault)])
def test_nothing_acknowledged_is_lost(base: Path, cuts: int, failing_sync: bool) -> None:
    acknowledged, bad = losses(base, cuts, failing_sync=failing_sync)
    assert acknowledged > 20 * cuts
    assert bad == 0


@pytest.mark.parametrize(
    "lazy",
    [Lazy(synchronous="NORMAL"), Lazy(keys="NORMAL"), Lazy(payloads=True)],
    ids=["entries", "keys", "payloads"],
)
def test_control_without_waiting_for_the_disk_some_is_lost(base: Path, lazy: Lazy) -> None:
    _acknowledged, bad = losses(base, 20, lazy)
    assert bad > 0
