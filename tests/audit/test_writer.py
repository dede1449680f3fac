from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest

from gateway.audit.batch import Batch, Stall
from gateway.audit.canonical import encode
from gateway.audit.contract import Sealed
from gateway.audit.disk import Disk, Space
from gateway.audit.store import Store, StoreError, Tail, open_store
from gateway.audit.writer import Ended, Looked, Opened, Report, Writer, Written, reason_of
from tests.audit.entries import access
from tests.audit.faulty import Faults, sqlite_error

SEALED = Sealed("id", "acme", b"blob", b"key", 1, b"digest", "2026-11-24")


class Payloads:
    """A store of payloads that notes what it wrote, and what the log held at that time."""

    def __init__(self, log: Path, error: Exception | None = None) -> None:
        self._log = log
        self._error = error
        self.written: list[tuple[list[Sealed], int]] = []

    def write(self, sealed: Sequence[Sealed]) -> None:
        if self._error is not None:
            raise self._error
        with sqlite3.connect(self._log / "log.sqlite3") as reader:
            (rows,) = reader.execute("SELECT count(*) FROM commits").fetchone()
        reader.close()
        self.written.append((list(sealed), rows))


class Thread:
    """A writer and what it reports."""

    def __init__(
        self, folder: Path, *, faults: Faults | None = None, payloads: Payloads | None = None, open_late: bool = False
    ) -> None:
        self.reports: SimpleQueue[Report] = SimpleQueue()
        self.faults = faults or Faults()
        self.measured: list[threading.Thread] = []

        def measure(_: Path) -> Space:
            self.measured.append(threading.current_thread())
            return Space(85, 15)

        def opened() -> tuple[Store, Tail]:
            store = open_store(folder, connect=self.faults.connect)
            return store, store.tail()

        self.writer = Writer(
            opened if open_late else opened()[0], disk=Disk(folder, ballast=0, measure=measure), payloads=payloads
        )
        self.writer.start(self.reports.put)

    def next(self) -> Report:
        return self.reports.get(timeout=10)

    def end(self) -> None:
        self.writer.give("stop")
        assert self.writer.join(10)
        assert self.next() == Ended()
        assert self.faults.opened == self.faults.closed


def batch(first: int, *reasons: str, sealed: Sealed | None = None) -> Batch:
    made = Batch(first, Stall())
    for reason in reasons:
        made.add(encode(access(reason)), bytes(32), sealed=sealed, undo=None)
    return made


def test_batches_are_durable_in_the_order_in_which_they_were_given(tmp_path: Path) -> None:
    thread = Thread(tmp_path)
    for first in range(5):
        thread.writer.give(batch(first, str(first)))
    reports = [thread.next() for _ in range(5)]
    assert all(isinstance(each, Written) and each.standing.percent == 85 for each in reports)
    thread.end()
    store = open_store(tmp_path)
    assert [store.entry(index) for index in range(6)] == [*(encode(access(str(index))) for index in range(5)), None]
    store.close()


def test_payloads_are_durable_before_the_entries_that_tell_of_them(tmp_path: Path) -> None:
    payloads = Payloads(tmp_path)
    thread = Thread(tmp_path, payloads=payloads)
    thread.writer.give(batch(0, "a"))
    thread.writer.give(batch(1, "b", "c", sealed=SEALED))
    assert [type(thread.next()) for _ in range(2)] == [Written, Written]
    assert payloads.written == [([SEALED, SEALED], 1)]
    thread.end()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), sqlite_error("SQLITE_FULL")], ids=repr)
def test_where_payloads_cannot_be_written_their_entries_are_not_either(tmp_path: Path, error: Exception) -> None:
    thread = Thread(tmp_path, payloads=Payloads(tmp_path, error))
    thread.writer.give(batch(0, "a", sealed=SEALED))
    assert thread.next() == Ended(reason_of(error), full=True)
    assert thread.writer.join(10)
    store = open_store(tmp_path)
    assert store.tail().next == 0
    store.close()


def test_it_ends_with_its_first_failure_and_uses_the_handle_no_more(tmp_path: Path) -> None:
    thread = Thread(tmp_path)
    thread.faults.next_write = "SQLITE_IOERR_WRITE"
    for first in range(3):
        thread.writer.give(batch(first, "a"))
    assert thread.next() == Ended("SQLITE_IOERR_WRITE")
    assert thread.writer.join(10)
    assert thread.reports.empty()
    assert thread.faults.opened == thread.faults.closed == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_that_nobody_foresaw_is_reported_too(tmp_path: Path) -> None:
    thread = Thread(tmp_path, payloads=Payloads(tmp_path, KeyError("a fault of ours")))
    thread.writer.give(batch(0, "a", sealed=SEALED))
    assert thread.next() == Ended("a fault of our own")
    assert thread.writer.join(10)
    assert thread.faults.closed == 1


def test_it_opens_a_log_itself_and_says_what_is_in_it(tmp_path: Path) -> None:
    first = Thread(tmp_path)
    first.writer.give(batch(0, "a", "b"))
    assert isinstance(first.next(), Written)
    first.end()
    second = Thread(tmp_path, open_late=True)
    opened = second.next()
    assert isinstance(opened, Opened)
    assert (opened.tail.next, opened.tail.last, opened.standing.percent) == (2, encode(access("b")), 85)
    second.end()


def test_a_log_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    faults = Faults()
    faults.cannot_open = True
    thread = Thread(tmp_path, faults=faults, open_late=True)
    assert thread.next() == Ended("SQLITE_CANTOPEN")
    assert thread.writer.join(10)


def test_it_looks_at_the_disk_when_asked_and_else_now_and_then(tmp_path: Path) -> None:
    thread = Thread(tmp_path)
    for first in range(20):
        thread.writer.give(batch(first, "a"))
        assert isinstance(thread.next(), Written)
    looked = len(thread.measured)
    assert 1 <= looked < 20
    thread.writer.give("look")
    report = thread.next()
    assert isinstance(report, Looked)
    assert report.standing.condition == "warning"
    assert len(thread.measured) == looked + 1
    assert threading.current_thread() not in thread.measured
    thread.end()


def test_waiting_for_its_end_has_an_end(tmp_path: Path) -> None:
    thread = Thread(tmp_path)
    assert not thread.writer.join(0.01)
    thread.end()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EROFS, "a text"), "EROFS"),
        (OSError("without a number"), "OSError"),
        (OSError(99_999, "of another world"), "OSError"),
        (sqlite_error("SQLITE_READONLY"), "SQLITE_READONLY"),
        (sqlite3.DatabaseError("a text"), "DatabaseError"),
        (StoreError("a reader holds the log"), "a reader holds the log"),
    ],
    ids=repr,
)
def test_a_reason_is_a_name_and_never_a_text_of_somebody_else_s(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
