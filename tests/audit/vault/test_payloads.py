"""What `write` returned from can be opened for ever, whatever fails before, during and after."""

from __future__ import annotations

import errno
import random
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.contract import PayloadStore, Sealed
from gateway.audit.vault.errors import PayloadError
from gateway.audit.vault.frame import HEADER_BYTES, scan
from gateway.audit.vault.payloads import Payloads, open_payloads
from gateway.audit.vault.records import open_record_keys
from gateway.errors import SettingsError
from tests.audit.vault.kit import DAY, PARTS, Disk, Faulty, Forgetful, PowerCut, Store, flipped

NEXT_DAY = "2026-11-25"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path)) as store:
        yield store


def sizes(*sealed: Sealed) -> int:
    return sum(HEADER_BYTES + len(each.blob) for each in sealed)


def test_what_was_written_can_be_opened(store: Store) -> None:
    payloads: PayloadStore = Payloads(store.path, "0")
    batches = [[store.seal({"received": b"%d" % (10 * batch + number)}) for number in range(batch)] for batch in range(1, 5)]
    for batch in batches:
        payloads.write(batch)
    for number, batch in enumerate(batches, 1):
        assert [store.open(each).parts for each in batch] == [{"received": b"%d" % (10 * number + at)} for at in range(number)]
    _close(payloads)


def test_files_are_private_and_apart_from_keys(store: Store) -> None:
    payloads = Payloads(store.path, "0")
    payloads.write([store.seal()])
    payloads.close()
    kept = {each.relative_to(store.path).as_posix(): each.stat().st_mode & 0o777 for each in store.path.rglob("*")}
    assert kept == {
        "root.key": 0o600,
        "keys": 0o700,
        "keys/tenants.sqlite3": 0o600,
        "keys/tenants.sqlite3-wal": 0o600,  # the keyring is still open
        "keys/tenants.sqlite3-shm": 0o600,
        "keys/0.sqlite3": 0o600,
        "payloads": 0o700,
        "payloads/0": 0o700,
        f"payloads/0/{DAY}.sealed": 0o600,
    }


def test_each_day_has_its_file_and_no_more_than_two_stay_open(store: Store) -> None:
    payloads = Payloads(store.path, "0")
    days = [DAY, NEXT_DAY, DAY, "2026-11-26", "2026-11-27", DAY]
    sealed = [store.seal(day=day) for day in days]
    payloads.write(sealed[:3])
    for each in sealed[3:]:
        payloads.write([each])
        assert len(payloads._days) == 2
    payloads.write([store.seal(day=f"2026-12-0{number}") for number in range(1, 6)])
    assert list(payloads._days) == ["2026-12-04", "2026-12-05"]
    for each in sealed:
        assert store.open(each).parts == PARTS
    assert len(list((store.path / "payloads" / "0").iterdir())) == 9
    payloads.close()


def test_slots_write_files_of_their_own(store: Store) -> None:
    first, second = Payloads(store.path, "0"), Payloads(store.path, "1")
    ours, theirs = store.seal(), store.seal()
    first.write([ours])
    second.write([theirs])
    assert store.open(ours).parts == PARTS
    with pytest.raises(PayloadError):
        store.open(theirs)
    store.slot = "1"
    assert store.open(theirs).parts == PARTS
    first.close()
    second.close()


@pytest.mark.parametrize("kind", ["write", "sync"])
@pytest.mark.parametrize("torn", [0, 30, 100, 10_000])
def test_a_file_that_fails_once_costs_that_batch_alone(store: Store, kind: str, torn: int) -> None:
    disk = Disk(torn=torn, error=errno.ENOSPC)
    payloads = Payloads(store.path, "0", files=disk.files)
    before, lost, after = ([store.seal() for _ in range(3)] for _ in range(3))
    payloads.write(before)
    disk.fail(kind)
    with pytest.raises(OSError, match="No space left"):
        payloads.write(lost)
    payloads.write(after)
    payloads.close()
    for each in (*before, *after):
        assert store.open(each).parts == PARTS
    for each in lost:
        with pytest.raises(PayloadError):
            store.open(each)
    assert store.payload_file.stat().st_size == sizes(*before, *after)


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT OR REPLACE", "INSERT INTO days", "COMMIT", "SELECT sure"])
def test_a_database_that_fails_once_costs_that_batch_alone(store: Store, statement: str) -> None:
    faulty = Faulty()
    payloads = Payloads(store.path, "0", connect=faulty.connect)
    first, lost, after = store.seal(), store.seal(day=NEXT_DAY), store.seal(day=NEXT_DAY)
    payloads.write([first])
    faulty.failing = statement
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        payloads.write([lost])
    assert (faulty.opened, faulty.closed) == (1, 1)
    payloads.write([after])
    assert faulty.opened == 2
    payloads.close()
    assert store.open(first).parts == store.open(after).parts == PARTS
    with pytest.raises(PayloadError):
        store.open(lost)


def test_when_both_fail_the_file_is_named_and_both_are_opened_anew(store: Store) -> None:
    disk, faulty = Disk(), Faulty()
    payloads = Payloads(store.path, "0", files=disk.files, connect=faulty.connect)
    payloads.write([store.seal()])
    disk.fail("sync")
    faulty.failing = "COMMIT"
    with pytest.raises(OSError, match="Input/output error"):
        payloads.write([store.seal()])
    after = store.seal()
    payloads.write([after])
    assert (faulty.opened, faulty.closed) == (2, 1)
    assert store.open(after).parts == PARTS
    payloads.close()


def test_file_and_keys_are_written_at_the_same_time_and_both_awaited(store: Store) -> None:
    begun = {"file": threading.Event(), "keys": threading.Event()}
    ended: list[str] = []

    class Slow(Disk):
        def _sync(self, handle: int) -> None:
            if self.seen.get("write"):  # that of the append
                begun["file"].set()
                assert begun["keys"].wait(timeout=20)
                ended.append("file")
            super()._sync(handle)

    class Late(Faulty):
        def met(self, sql: str) -> None:
            if sql.startswith("INSERT OR REPLACE"):
                begun["keys"].set()
                assert begun["file"].wait(timeout=20)  # neither waits for the other's end
                ended.append("keys")

    payloads = Payloads(store.path, "0", files=Slow().files, connect=Late().connect)
    payloads.write([store.seal()])
    assert sorted(ended) == ["file", "keys"]
    payloads.close()


def test_a_crash_at_any_byte_of_a_write_loses_nothing_acknowledged(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    payloads = Payloads(store.path, "0")
    acknowledged = [store.seal() for _ in range(3)]
    payloads.write(acknowledged[:1])
    payloads.write(acknowledged[1:])
    payloads.write([store.seal(), store.seal()])  # its keys became durable, its frames only as far as the cut
    crashed = tmp_path_factory.mktemp("crashed")
    full = store.payload_file.read_bytes()
    for size in range(sizes(*acknowledged), len(full), 9):  # every byte: tests/audit/vault/test_dayfile.py
        copy = Store(_copy(store.path, crashed / str(size), size))
        after = copy.seal()
        again = Payloads(copy.path, "0")
        again.write([after])
        for each in (*acknowledged, after):
            assert copy.open(each).parts == PARTS
        again.close()
        copy.close()
        shutil.rmtree(copy.path)
    payloads.close()


def test_after_a_clean_end_damage_in_the_last_batch_cuts_nothing_off(store: Store) -> None:
    payloads = Payloads(store.path, "0")
    sealed = [store.seal() for _ in range(3)]
    payloads.write(sealed)
    payloads.close()
    payloads.close()
    damaged = flipped(store.payload_file.read_bytes(), 8 * 70)
    store.payload_file.write_bytes(damaged)
    again = Payloads(store.path, "0")
    after = store.seal()
    again.write([after])
    assert store.payload_file.read_bytes()[: len(damaged)] == damaged
    assert [store.open(each).parts for each in (sealed[1], sealed[2], after)] == [PARTS] * 3
    again.close()


def test_control_what_is_sure_must_not_run_ahead_of_the_disk(store: Store) -> None:
    """Had the keys' commit noted the end of its own batch, a torn frame would stay in the file for ever."""
    payloads = Payloads(store.path, "0")
    sealed = [store.seal(), store.seal()]
    payloads.write(sealed[:1])
    payloads.write(sealed[1:])
    keys = open_record_keys(store.path, "0")
    assert keys.sure(DAY) == sizes(sealed[0])
    keys.close()
    payloads.close()


def test_closing_survives_a_failing_database(store: Store) -> None:
    faulty = Faulty()
    payloads = Payloads(store.path, "0", connect=faulty.connect)
    payloads.write([store.seal()])
    faulty.failing = "INSERT INTO days"
    payloads.close()
    assert (faulty.opened, faulty.closed) == (1, 1)


def test_nothing_is_closed_under_a_write_that_hangs(store: Store) -> None:
    syncing, go_on = threading.Event(), threading.Event()

    class Hanging(Disk):
        def _sync(self, handle: int) -> None:
            if self.seen.get("write"):
                syncing.set()
                assert go_on.wait(timeout=20)
            super()._sync(handle)

    payloads = Payloads(store.path, "0", files=Hanging().files)
    sealed = store.seal()
    thread = threading.Thread(target=payloads.write, args=([sealed],))
    thread.start()
    assert syncing.wait(timeout=20)
    payloads.close(patience=0.01)
    go_on.set()
    thread.join()
    assert store.open(sealed).parts == PARTS
    payloads.write([store.seal()])
    payloads.close()


def test_what_cannot_be_opened_is_said_at_the_start(store: Store) -> None:
    payloads = open_payloads(store.path, "0", day=DAY)
    assert store.payload_file.exists()
    assert store.records.exists()
    payloads.close()
    store.payload_file.unlink()
    store.payload_file.mkdir()
    with pytest.raises(SettingsError, match=r"^The payloads of slot 0 under .* cannot be opened: EISDIR$"):
        open_payloads(store.path, "0", day=DAY)
    store.records.write_bytes(b"no database" * 100)
    with pytest.raises(SettingsError, match=r"cannot be opened: SQLITE_NOTADB$"):
        open_payloads(store.path, "0", day=DAY)


def test_a_table_that_fails_at_the_start_is_opened_anew(store: Store) -> None:
    faulty = Faulty()
    payloads = Payloads(store.path, "0", connect=faulty.connect)
    faulty.failing = "SELECT sure"
    with pytest.raises(sqlite3.OperationalError):
        payloads.prepare(DAY)
    payloads.prepare(DAY)
    assert (faulty.opened, faulty.closed) == (2, 1)
    payloads.close()


faults = st.lists(
    st.sampled_from(["none", "none", "write", "sync", "BEGIN", "INSERT", "COMMIT", "both", "crash", "restart", "midnight"]),
    min_size=3,
    max_size=12,
)


def test_whatever_fails_in_whichever_order_all_that_was_acknowledged_can_be_opened(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    @settings(max_examples=40)
    @given(faults=faults, seed=st.integers(0, 2**32))
    def check(faults: list[str], seed: int) -> None:
        folder = tmp_path_factory.mktemp("store")
        life = _Life(Store(folder), random.Random(seed))  # noqa: S311  # repeatable
        for fault in faults:
            life.live(fault)
        life.live("none")
        assert [life.store.open(each).parts for each in life.acknowledged] == [PARTS] * len(life.acknowledged)
        life.payloads.close()
        life.store.close()
        shutil.rmtree(folder)

    check()


def test_300_power_cuts_lose_nothing_acknowledged(store: Store) -> None:
    chance = random.Random(7)  # noqa: S311  # repeatable
    acknowledged: list[Sealed] = []
    disk = Forgetful(chance)
    for _ in range(300):
        faulty = Faulty()
        payloads = Payloads(store.path, "0", files=disk.files, connect=faulty.connect)
        disk.failing["sync"] = {disk.seen.get("sync", 0) + chance.randrange(7)}  # opening syncs twice, then once a batch
        with pytest.raises(PowerCut):
            while True:
                batch = [store.seal({"received": chance.randbytes(chance.randrange(700))}) for _ in range(chance.randrange(1, 5))]
                payloads.write(batch)
                acknowledged += batch
        faulty.failing = "INSERT INTO days"  # nothing is closed in order
        payloads.close()
    payloads = Payloads(store.path, "0")
    payloads.write([store.seal()])
    for each in acknowledged:
        store.open(each)
    assert len(acknowledged) > 1000
    payloads.close()
    data = store.payload_file.read_bytes()
    assert not [piece for piece in scan(lambda at, most: data[at : at + most], 0, len(data), contents=True) if piece.damage]


class _Life:
    """One store that lives through faults."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self.store = store
        self.chance = chance
        self.acknowledged: list[Sealed] = []
        self.day = DAY
        self._open()

    def _open(self) -> None:
        self.disk, self.faulty = Disk(torn=self.chance.randrange(900)), Faulty()
        self.payloads = Payloads(self.store.path, "0", files=self.disk.files, connect=self.faulty.connect)

    def live(self, fault: str) -> None:
        if fault == "midnight":
            self.day = NEXT_DAY if self.day == DAY else DAY
        if fault == "restart":
            self.payloads.close()
            self._open()
        if fault in {"write", "sync", "both", "crash"}:
            self.disk.fail("write" if fault in {"write", "crash"} else "sync")
        if fault in {"BEGIN", "INSERT", "COMMIT", "both"}:
            self.faulty.failing = "COMMIT" if fault == "both" else fault
        batch = [self.store.seal(day=self.day) for _ in range(self.chance.randrange(1, 4))]
        try:
            self.payloads.write(batch)
        except (OSError, sqlite3.Error):
            pass
        else:
            self.acknowledged += batch
        if fault == "crash":  # nothing is closed in order
            self.faulty.failing = "INSERT INTO days"
            self.payloads.close()
            self._open()


def _copy(source: Path, target: Path, size: int) -> Path:
    """Copy a store as a crash leaves it: the payload file has `size` bytes."""
    shutil.copytree(source, target)
    with (target / "payloads" / "0" / f"{DAY}.sealed").open("r+b") as file:
        file.truncate(size)
    return target


def _close(payloads: PayloadStore) -> None:
    assert isinstance(payloads, Payloads)
    payloads.close()
