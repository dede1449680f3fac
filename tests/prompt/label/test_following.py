"""Following the labels: a move is seen by every process, and a database that does not answer changes nothing but the watch."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, text

from gateway.errors import Unavailable
from gateway.prompt.label.following import INTERVAL, Following
from gateway.prompt.label.labels import Change, Labels, Move
from gateway.prompt.label.table import LabelTable
from gateway.settings.tree import Store
from gateway.store.migrate import open_store
from gateway.store.schema import label_moves

PROMPT = "support/triage"
NEVER = 3600.0
"""Seconds between looks in tests that look by themselves."""


@dataclass
class Watch:
    """Notes what it is told; `heard` is set each time."""

    told: list[str] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)
    snapshots: list[Labels] = field(default_factory=list)

    def labels_stale(self, reason: str) -> None:
        self.told.append(reason)
        self.heard.set()

    def labels_current(self) -> None:
        self.told.append("current")
        self.heard.set()

    def changed(self, labels: Labels) -> None:
        self.snapshots.append(labels)
        self.heard.set()

    def wait(self) -> None:
        assert self.heard.wait(20)
        self.heard.clear()


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    engine = open_store(store)
    yield engine
    engine.dispose()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def follow(engine: Engine, watch: Watch) -> Iterator[Callable[..., Following]]:
    made: list[Following] = []

    def follow(interval: float = NEVER) -> Following:
        following = Following(LabelTable(engine), changed=watch.changed, watcher=watch, interval=interval)
        made.append(following)
        return following

    yield follow
    for each in made:
        each.close()


def move(engine: Engine, version: str) -> Move:
    def enter(_move: Move, /, *, withdrawn: bool = False) -> None:
        assert not withdrawn

    return LabelTable(engine).move(Change(prompt=PROMPT, label="production", version=version, by="os:ada"), enter=enter)


def production(labels: Labels) -> str | None:
    return labels.version(PROMPT, "production", tenant="acme", caller="a")


def change(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def test_the_first_snapshot_is_there_when_it_has_started(engine: Engine, watch: Watch, follow: Callable[..., Following]) -> None:
    move(engine, "v1")
    following = follow()
    following.start()
    assert production(following.labels) == "v1"
    assert watch.snapshots == [following.labels]


def test_without_any_move_there_are_no_labels_and_nothing_changed(watch: Watch, follow: Callable[..., Following]) -> None:
    following = follow()
    following.start()
    following.look()
    assert (production(following.labels), following.stale, watch.told, watch.snapshots) == (None, "", [], [])


def test_two_who_follow_one_store_both_see_a_move_with_their_next_look(engine: Engine, follow: Callable[..., Following]) -> None:
    both = [follow(), follow()]
    for version in ("v1", "v2", "v1"):
        move(engine, version)
        for each in both:
            each.look()
        assert [production(each.labels) for each in both] == [version, version]


def test_a_snapshot_is_replaced_never_changed(engine: Engine, follow: Callable[..., Following]) -> None:
    move(engine, "v1")
    following = follow()
    following.look()
    before = following.labels
    move(engine, "v2")
    following.look()
    assert (production(before), production(following.labels)) == ("v1", "v2")


def test_while_nothing_moves_only_the_last_number_is_read(engine: Engine, watch: Watch, follow: Callable[..., Following]) -> None:
    for version in ("v1", "v2"):
        move(engine, version)
    following = follow()
    following.look()
    read: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: read.append(given[2]))
    for _ in range(3):
        following.look()
    queries = [each for each in read if "label_moves" in each]
    assert len(queries) == 3
    assert all("max(" in each and "why" not in each for each in queries)
    assert len(watch.snapshots) == 1


def test_a_restored_table_is_read_anew(engine: Engine, store: Store, follow: Callable[..., Following]) -> None:
    """One with fewer moves than were seen."""
    for version in ("v1", "v2"):
        move(engine, version)
    following = follow()
    following.look()
    trigger = "label_moves_only_added ON label_moves" if store.database else "label_moves_never_deleted"
    change(engine, f"DROP TRIGGER {trigger}")
    change(engine, "DELETE FROM label_moves WHERE seq = 2")
    following.look()
    assert production(following.labels) == "v1"


def test_a_store_that_does_not_answer_leaves_the_last_snapshot_and_is_told_once(
    engine: Engine, watch: Watch, follow: Callable[..., Following]
) -> None:
    move(engine, "v1")
    following = follow()
    following.look()
    change(engine, "ALTER TABLE label_moves RENAME TO label_moves_gone")
    for _ in range(3):
        following.look()
        assert following.stale.startswith("label database: ")
        assert production(following.labels) == "v1"
    assert watch.told == [following.stale]
    change(engine, "ALTER TABLE label_moves_gone RENAME TO label_moves")
    move(engine, "v2")
    for _ in range(3):
        following.look()
    assert (following.stale, production(following.labels)) == ("", "v2")
    assert watch.told[1:] == ["current"]


def test_a_move_that_is_not_understood_leaves_the_last_snapshot(
    engine: Engine, watch: Watch, follow: Callable[..., Following]
) -> None:
    first = move(engine, "v1")
    following = follow()
    following.look()
    values: dict[str, Any] = {column.name: getattr(first, column.name) for column in label_moves.columns}
    with engine.begin() as connection:
        connection.execute(insert(label_moves).values(values | {"seq": 2, "sticky": "region"}))
    following.look()
    assert watch.told == ["a move of a form that is not known"]
    assert production(following.labels) == "v1"


def test_where_there_is_no_first_snapshot_it_does_not_start(engine: Engine, follow: Callable[..., Following]) -> None:
    change(engine, "DROP TABLE label_moves")
    following = follow()
    with pytest.raises(Unavailable):
        following.start()
    assert not following._thread.is_alive()


MOVES = """
import sys
from gateway.prompt.label.table import LabelTable
from gateway.prompt.label.labels import Change
from gateway.settings.tree import Store
from gateway.store.migrate import open_store

table = LabelTable(open_store(Store(path=sys.argv[1], database=sys.argv[2])))
change = Change(prompt="support/triage", label="production", version="v2", by="os:ada")
table.move(change, enter=lambda move, *, withdrawn=False: None)
"""


def test_the_move_of_another_process_is_seen_without_being_asked_for(
    store: Store, engine: Engine, watch: Watch, follow: Callable[..., Following]
) -> None:
    move(engine, "v1")
    following = follow(INTERVAL)
    following.start()
    watch.wait()
    command = [sys.executable, "-W", "error", "-c", MOVES, str(store.path), store.database]
    subprocess.run(command, check=True, timeout=50)
    watch.wait()
    assert production(following.labels) == "v2"


def test_a_move_is_looked_for_often_enough_to_be_seen_within_a_second() -> None:
    assert INTERVAL <= 0.5


def test_a_nudge_does_not_wait_for_the_next_look(engine: Engine, watch: Watch, follow: Callable[..., Following]) -> None:
    following = follow(NEVER)
    following.start()
    move(engine, "v1")
    following.nudge()
    watch.wait()
    assert production(following.labels) == "v1"


def test_closing_ends_the_thread_at_once_and_keeps_the_snapshot(engine: Engine, follow: Callable[..., Following]) -> None:
    move(engine, "v1")
    following = follow(NEVER)
    following.start()
    following.close()
    assert not following._thread.is_alive()
    assert production(following.labels) == "v1"
    follow().close()  # one that never started


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_in_the_thread_is_told_instead_of_hidden(engine: Engine, watch: Watch) -> None:
    def fail(_labels: Labels) -> None:
        raise ZeroDivisionError

    following = Following(LabelTable(engine), changed=fail, watcher=watch, interval=NEVER)
    following.start()
    move(engine, "v1")
    following.nudge()
    watch.wait()
    assert watch.told == [following.stale] == ["internal error"]
    following.close()
