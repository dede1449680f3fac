from __future__ import annotations

from pathlib import Path

import pytest

from gateway.audit.batch import Stall
from gateway.audit.canonical import encode
from gateway.audit.disk import Space
from gateway.audit.layout import ballast_file
from gateway.audit.merkle import leaf_hash
from gateway.audit.place import Known, Place, Seams
from gateway.audit.queue import Queue
from gateway.audit.store import StoreError
from tests.audit.entries import access
from tests.audit.faulty import Faults

LEAF = leaf_hash(encode(access("1")))


def place(folder: Path, *, faults: Faults | None = None, percent: int = 10) -> Place:
    faults = faults or Faults()
    seams = Seams(connect=faults.connect, ballast=4096, measure=lambda _: Space(percent * 10**6, (100 - percent) * 10**6))
    return Place(folder, seams)


def fill(at: Place, *reasons: str) -> None:
    store, tail = at.open()
    queue = Queue(tail.next, tail.open, stall=Stall())
    for reason in reasons:
        queue.enter(access(reason))
    batch = queue.swap()
    assert batch is not None
    store.write(batch)
    store.close()


def test_a_log_is_opened_with_what_is_in_it(tmp_path: Path) -> None:
    fill(place(tmp_path), "0", "1")
    store, tail = place(tmp_path).open()
    assert (tail.next, tail.last) == (2, encode(access("1")))
    store.close()


def test_after_a_failure_what_was_acknowledged_must_be_there(tmp_path: Path) -> None:
    fill(place(tmp_path), "0", "1")
    store, tail = place(tmp_path).reopen(Known(2, LEAF), full=False)
    assert tail.next == 2
    store.close()


@pytest.mark.parametrize("doubtful", [1, 3])
def test_a_batch_of_unknown_outcome_may_be_there_whole(tmp_path: Path, doubtful: int) -> None:
    fill(place(tmp_path), "0", "1", *"x" * doubtful)
    store, tail = place(tmp_path).reopen(Known(2, LEAF, doubtful=doubtful), full=False)
    assert tail.next == 2 + doubtful
    store.close()


@pytest.mark.parametrize(
    "known",
    [
        Known(3, LEAF),
        Known(1, LEAF),
        Known(2, leaf_hash(b"another entry")),
        Known(1, leaf_hash(encode(access("0"))), doubtful=2),
    ],
    ids=["one is missing", "one too many", "another one", "a batch in part"],
)
def test_a_log_that_is_not_the_one_that_was_written_is_not_gone_on_with(tmp_path: Path, known: Known) -> None:
    fill(place(tmp_path), "0", "1")
    faults = Faults()
    with pytest.raises(StoreError, match="not what was written"):
        place(tmp_path, faults=faults).reopen(known, full=False)
    assert faults.opened == faults.closed == 1


def test_a_full_disk_is_opened_on_the_space_of_the_ballast(tmp_path: Path) -> None:
    fill(place(tmp_path), "0", "1")
    assert ballast_file(tmp_path).exists()
    place(tmp_path).reopen(Known(2, LEAF), full=False)[0].close()
    assert ballast_file(tmp_path).exists()
    place(tmp_path, percent=96).reopen(Known(2, LEAF), full=False)[0].close()
    assert not ballast_file(tmp_path).exists()


def test_after_an_error_for_want_of_space_the_ballast_is_given_back_even_below_the_threshold(tmp_path: Path) -> None:
    fill(place(tmp_path), "0", "1")
    place(tmp_path, percent=94).reopen(Known(2, LEAF), full=False)[0].close()
    assert ballast_file(tmp_path).exists()
    place(tmp_path, percent=94).reopen(Known(2, LEAF), full=True)[0].close()
    assert not ballast_file(tmp_path).exists()


def test_a_log_whose_end_cannot_be_read_leaves_no_connection_open(tmp_path: Path) -> None:
    fill(place(tmp_path), "0")
    faults = Faults()
    faults.answers["SELECT first, CAST(count AS INTEGER), CAST(open"] = (0, 1, b"{")
    with pytest.raises(StoreError, match="damaged"):
        place(tmp_path, faults=faults).open()
    assert faults.opened == faults.closed == 1
