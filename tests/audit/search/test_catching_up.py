"""Indices follow their logs in the background: one process does it, a little at a time, and nothing stops it for good."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.audit.layout import database, logs_folder, slot_folder
from gateway.audit.reader import Reader
from gateway.audit.search.archive import Archive, Behind
from gateway.audit.search.catching_up import LOCK, PAUSE, CatchingUp
from gateway.audit.search.filters import Filters
from gateway.audit.search.index import FILE, PORTION
from gateway.audit.search.rights import View
from tests.audit.generated import Traffic, generate, more, write

TRAFFIC = Traffic(200)
LONG = Traffic(PORTION)
"""More than two portions."""
EVERYTHING = View(None, "", "operator")


class Rounds(threading.Event):
    """Ends the work after so many rounds, without a pause; `before` is done before each, by its number from 0."""

    def __init__(self, rounds: int, before: Callable[[int], None] = lambda _: None, *, steps: int = 1000) -> None:
        super().__init__()
        self._rounds = rounds
        self._before = before
        self._steps = steps
        self.begun = 0
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        if timeout == PAUSE:
            if self.begun == self._rounds:
                self.set()
            else:
                self._before(self.begun)
                self.begun += 1
        else:
            self.pauses.append(timeout)
            if len(self.pauses) == self._steps:
                self.set()
        return self.is_set()


def caught_up(store: Path, rounds: Rounds) -> Rounds:
    """Do so many rounds."""
    catching_up = CatchingUp(store, stop=rounds)
    catching_up.start()
    catching_up._thread.join()
    return rounds


def is_behind(store: Path) -> bool:
    try:
        Archive(store, patience=1).search(Filters(), EVERYTHING)
    except Behind:
        return True
    return False


def taken_in(folder: Path) -> int:
    """Return how many entries an index has taken in."""
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return int(connection.execute("SELECT next FROM position").fetchone()[0])


def go_on(store: Path) -> None:
    with closing(Reader(slot_folder(store, TRAFFIC.slot))) as reader:
        last = reader.rows(reader.last() or 0)[0]
    write(store, TRAFFIC.slot, more(replace(TRAFFIC, number=10**6), first=last.first + last.count))


def test_a_round_takes_in_all_logs(tmp_path: Path) -> None:
    for slot in ("0", "1", "7"):
        generate(tmp_path, replace(TRAFFIC, slot=slot))
    caught_up(tmp_path, Rounds(1))
    assert not is_behind(tmp_path)


def test_control_without_a_round_the_first_search_has_it_to_do(tmp_path: Path) -> None:
    generate(tmp_path, TRAFFIC)
    caught_up(tmp_path, Rounds(0))
    assert is_behind(tmp_path)


def test_what_comes_later_is_taken_in_by_the_next_round(tmp_path: Path) -> None:
    generate(tmp_path, TRAFFIC)
    caught_up(tmp_path, Rounds(2, lambda number: go_on(tmp_path) if number == 1 else None))
    assert not is_behind(tmp_path)


def test_a_step_takes_a_portion_and_rests_for_99_times_as_long(tmp_path: Path) -> None:
    folder = generate(tmp_path, LONG)
    rounds = caught_up(tmp_path, Rounds(1))
    assert len(rounds.pauses) == 4, "three portions, and a look that finds no more"
    assert min(rounds.pauses[:2]) > 0.1, "no machine takes in so much in a thousandth of a second"
    assert not is_behind(tmp_path)
    assert taken_in(folder) > 2 * PORTION


def test_it_ends_in_the_middle_of_a_round(tmp_path: Path) -> None:
    folder = generate(tmp_path, LONG)
    assert caught_up(tmp_path, Rounds(1, steps=1)).begun == 1
    assert 0 < taken_in(folder) < 2 * PORTION


def test_while_another_process_does_it_this_one_does_not(tmp_path: Path) -> None:
    folder = generate(tmp_path, TRAFFIC)
    lock = os.open(logs_folder(tmp_path) / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)

    def before(number: int) -> None:
        assert not (folder / FILE).exists()
        if number == 2:
            os.close(lock)

    caught_up(tmp_path, Rounds(4, lambda number: before(number) if number < 3 else None))
    assert not is_behind(tmp_path)


def test_whoever_ends_leaves_it_to_another(tmp_path: Path) -> None:
    generate(tmp_path, TRAFFIC)
    caught_up(tmp_path, Rounds(1))
    go_on(tmp_path)
    caught_up(tmp_path, Rounds(1))
    assert not is_behind(tmp_path)


def test_an_index_of_another_log_is_built_anew(tmp_path: Path) -> None:
    folder = generate(tmp_path, TRAFFIC)
    caught_up(tmp_path, Rounds(1))
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.execute("UPDATE position SET leaf = x'00'")
    caught_up(tmp_path, Rounds(2))
    assert not is_behind(tmp_path)


def test_a_log_that_cannot_be_read_keeps_no_other_from_its_index(tmp_path: Path) -> None:
    damaged = slot_folder(tmp_path, "0")
    damaged.mkdir(parents=True)
    database(damaged).write_bytes(b"This is no database. " * 100)
    slot_folder(tmp_path, "1").mkdir()  # a process that has just claimed it
    folder = generate(tmp_path, replace(TRAFFIC, slot="2"))
    caught_up(tmp_path, Rounds(2))
    assert taken_in(folder) > 400


def test_a_store_without_a_log_is_looked_at_again(tmp_path: Path) -> None:
    def before(number: int) -> None:
        if number == 1:
            generate(tmp_path, TRAFFIC)

    caught_up(tmp_path, Rounds(2, before))
    assert not is_behind(tmp_path)


def test_its_lock_is_private(tmp_path: Path) -> None:
    generate(tmp_path, TRAFFIC)
    caught_up(tmp_path, Rounds(1))
    assert (logs_folder(tmp_path) / LOCK).stat().st_mode & 0o777 == 0o600


@pytest.mark.timeout(20)
def test_closing_ends_a_pause_at_once_and_needs_no_start(tmp_path: Path) -> None:
    never = CatchingUp(tmp_path)
    never.close()
    catching_up = CatchingUp(tmp_path, pause=600)
    catching_up.start()
    catching_up.close()
    catching_up.close()
    assert not catching_up._thread.is_alive()
