"""The table of labels behaves the same on both engines: row and entry are one, and of two who move at once one is told."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, text
from sqlalchemy.exc import OperationalError

from gateway.errors import Conflict, InvalidRequest, NotFound, SettingsError, Unavailable
from gateway.prompt.label.labels import SEED, Change, Move
from gateway.prompt.label.table import Expected, LabelTable
from gateway.settings.tree import Store
from gateway.store.migrate import open_store
from gateway.store.schema import label_moves

NOW = 1_800_000_000
PROMPT = "support/triage"
CHANGE = Change(prompt=PROMPT, label="production", version="v1", by="os:ada", why="first release")
MOVE = Move(prompt=PROMPT, label="production", version="v1", by="os:ada", why="first release", seq=1, at=NOW, before=None)

COLUMNS = [column.name for column in label_moves.columns]


@dataclass
class Log:
    """Takes entries, or refuses them; `before` happens while a move is being entered."""

    refuses: bool = False
    entered: list[tuple[Move, bool]] = field(default_factory=list)
    before: Callable[[Move], None] = lambda _: None

    def __call__(self, move: Move, /, *, withdrawn: bool = False) -> None:
        self.before(move)
        if self.refuses:
            raise Unavailable("The log cannot be written.", code="audit_unavailable")
        self.entered.append((move, withdrawn))

    @property
    def moves(self) -> list[tuple[str, bool]]:
        return [(move.version, withdrawn) for move, withdrawn in self.entered]


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    engine = open_store(store, patience=20.0)  # on a busy machine, too, who waits comes to its turn
    yield engine
    engine.dispose()


@pytest.fixture
def table(engine: Engine) -> LabelTable:
    return LabelTable(engine, now=lambda: NOW + 0.9)


@pytest.fixture
def log() -> Log:
    return Log()


def to(version: str) -> Change:
    return replace(CHANGE, version=version)


def test_a_move_comes_back_as_it_was_made(table: LabelTable, log: Log) -> None:
    canary = Change(
        prompt=PROMPT, label="production", version="v1", canary="v2", percent=10, sticky="tenant", by="os:bob",
        why="Größe & Co.: 10 %\n'; DROP TABLE label_moves --", report="reports/17",
    )  # fmt: skip
    first, second = table.move(CHANGE, enter=log), table.move(canary, enter=log)
    assert first == MOVE
    assert second == replace(
        MOVE, seq=2, before="v1", canary="v2", percent=10, sticky="tenant", by="os:bob", why=canary.why, report="reports/17"
    )
    assert log.entered == [(first, False), (second, False)]
    assert table.moves() == (first, second)
    assert table.current() == (second,)
    assert table.last_seq() == 2


def test_an_empty_table_has_nothing(table: LabelTable) -> None:
    assert (table.moves(), table.current(), table.last_seq()) == ((), (), 0)


def test_each_label_has_its_own_history(table: LabelTable, log: Log) -> None:
    staging, other = replace(CHANGE, label="staging"), replace(CHANGE, prompt="support/summary")
    one, two, three, four = (table.move(change, enter=log) for change in (CHANGE, staging, other, to("v2")))
    assert [move.before for move in (one, two, three, four)] == [None, None, None, "v1"]
    assert [move.seq for move in table.current()] == [2, 3, 4]
    assert table.moves(PROMPT) == (one, two, four)
    assert table.moves(PROMPT, "production") == (one, four)
    assert table.moves("support/nothing") == ()


def test_a_change_that_cannot_be_is_neither_entered_nor_made(table: LabelTable, log: Log) -> None:
    with pytest.raises(InvalidRequest):
        table.move(replace(CHANGE, version="draft"), enter=log)
    assert (log.entered, table.moves()) == ([], ())


@pytest.mark.parametrize("expected", ["v1", None])
def test_a_label_that_moved_meanwhile_is_not_moved_on(table: LabelTable, log: Log, expected: Expected) -> None:
    table.move(CHANGE, expected=None, enter=log)
    table.move(to("v2"), expected="v1", enter=log)
    with pytest.raises(Conflict, match="Somebody else has moved the label") as caught:
        table.move(to("v3"), expected=expected, enter=log)
    assert caught.value.code == "label_moved"
    assert log.moves == [("v1", False), ("v2", False)]
    assert table.last_seq() == 2
    table.move(to("v3"), enter=log)
    with pytest.raises(Conflict):
        table.rollback(PROMPT, "production", by="os:bob", why="bad", expected="v2", enter=log)


def test_of_two_who_promote_at_once_one_is_told(table: LabelTable, engine: Engine) -> None:
    table.move(CHANGE, enter=Log())
    reached, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def hold(_move: Move) -> None:
        reached.set()
        assert go_on.wait(10)

    logs = [Log(before=hold), Log()]

    def promote(version: str, log: Log) -> None:
        try:
            told.append(LabelTable(engine).move(to(version), expected="v1", enter=log).version)
        except Conflict as error:
            told.append(error.code)

    first, second = (threading.Thread(target=promote, args=each) for each in (("v2", logs[0]), ("v3", logs[1])))
    first.start()
    assert reached.wait(10)
    second.start()
    second.join(0.2)
    assert second.is_alive()  # it waits for the first, which has its entry and not yet its row
    assert table.moves()[-1].version == "v1"  # who reads is not kept waiting
    go_on.set()
    first.join()
    second.join()
    assert sorted(told) == ["label_moved", "v2"]
    assert [log.moves for log in logs] == [[("v2", False)], []]
    assert [move.version for move in table.moves()] == ["v1", "v2"]


def test_moves_of_many_at_once_are_numbered_without_a_gap_and_all_are_there(store: Store, engine: Engine) -> None:
    others = [open_store(store, patience=20.0) for _ in range(4)]
    logs = [Log() for _ in others]

    def move(number: int) -> None:
        for version in range(1, 6):
            LabelTable(others[number]).move(replace(CHANGE, label=f"l{number}", version=f"v{version}"), enter=logs[number])

    threads = [threading.Thread(target=move, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.dispose()
    moves = LabelTable(engine).moves()
    assert [each.seq for each in moves] == list(range(1, 21))
    assert sorted((each for log in logs for each, _ in log.entered), key=lambda each: each.seq) == list(moves)


def test_where_the_log_refuses_nothing_moves(table: LabelTable, log: Log) -> None:
    table.move(CHANGE, enter=log)
    log.refuses = True
    with pytest.raises(Unavailable) as caught:
        table.move(to("v2"), enter=log)
    assert caught.value.code == "audit_unavailable"
    assert table.moves() == (MOVE,)
    log.refuses = False
    assert table.move(to("v2"), enter=log).seq == 2


def test_the_entry_comes_before_the_row(table: LabelTable, engine: Engine) -> None:
    seen: list[int] = []
    table.move(CHANGE, enter=Log(before=lambda _: seen.append(LabelTable(engine).last_seq())))
    assert (seen, table.last_seq()) == ([0], 1)


class Broken:
    """A database whose first commits fail, before or after they have taken effect."""

    def __init__(self, engine: Engine, *, commits: int = 1, after: bool = False) -> None:
        self.left = commits
        self.after = after
        event.listen(engine, "commit", self._commit)

    def _commit(self, connection: Connection) -> None:
        if self.left:
            self.left -= 1
            if self.after:
                connection.connection.commit()
            raise OperationalError("COMMIT", None, Exception("the disk is full"))


def test_a_move_that_cannot_be_stored_is_withdrawn_in_the_log(table: LabelTable, engine: Engine, log: Log) -> None:
    table.move(CHANGE, enter=log)
    Broken(engine)
    with pytest.raises(Unavailable, match="could not be stored: nothing has changed") as caught:
        table.move(to("v2"), enter=log)
    assert caught.value.reason == "label database: OperationalError"
    assert log.moves == [("v1", False), ("v2", False), ("v2", True)]
    assert log.entered[1][0] == log.entered[2][0]
    assert table.moves() == (MOVE,)
    again = table.move(to("v3"), enter=log)
    assert (again.seq, again.before) == (2, "v1")


def test_a_move_that_was_stored_though_its_commit_failed_is_one(table: LabelTable, engine: Engine, log: Log) -> None:
    Broken(engine, after=True)
    assert table.move(CHANGE, enter=log) == MOVE
    assert log.entered == [(MOVE, False)]
    assert table.moves() == (MOVE,)


def test_where_another_move_took_its_number_meanwhile_it_is_withdrawn(table: LabelTable, engine: Engine, log: Log) -> None:
    other = replace(MOVE, version="v9")

    def take(*_: object) -> None:
        with engine.begin() as beside:
            beside.execute(insert(label_moves).values({name: getattr(other, name) for name in COLUMNS}))

    def take_next(_move: Move) -> None:
        if not log.entered:
            event.listen(engine.pool, "checkout", take, once=True)  # of the connection that looks what became of it

    Broken(engine)
    log.before = take_next
    with pytest.raises(Unavailable, match="nothing has changed"):
        table.move(CHANGE, enter=log)
    assert log.moves == [("v1", False), ("v1", True)]
    assert table.moves() == (other,)


def test_where_not_even_that_is_known_it_is_said(table: LabelTable, engine: Engine) -> None:
    def break_all(_move: Move) -> None:
        Broken(engine)
        event.listen(engine, "begin", fail)

    def fail(_connection: Connection) -> None:
        raise OperationalError("BEGIN", None, Exception("gone"))

    log = Log(before=break_all)
    with pytest.raises(Unavailable, match=r"is not known: the log tells of move 1, .* Look at the label's history"):
        table.move(CHANGE, enter=log)
    event.remove(engine, "begin", fail)
    assert log.moves == [("v1", False)]
    assert table.moves() == ()


def test_where_the_withdrawal_cannot_be_entered_that_is_said(table: LabelTable, engine: Engine, log: Log) -> None:
    Broken(engine)

    def refuse_the_second(_move: Move) -> None:
        log.refuses = bool(log.entered)

    log.before = refuse_the_second
    with pytest.raises(Unavailable) as caught:
        table.move(CHANGE, enter=log)
    assert caught.value.code == "audit_unavailable"
    assert table.moves() == ()


def test_a_connection_that_cannot_take_back_is_given_up(table: LabelTable, engine: Engine, log: Log) -> None:
    log.refuses = True

    def fail(_connection: Connection) -> None:
        raise OperationalError("ROLLBACK", None, Exception("gone"))

    event.listen(engine, "rollback", fail)
    with pytest.raises(Unavailable) as caught:
        table.move(CHANGE, enter=log)
    assert caught.value.code == "audit_unavailable"
    event.remove(engine, "rollback", fail)
    log.refuses = False
    assert table.move(CHANGE, enter=log) == MOVE


DIES = """
import os, sys
from gateway.prompt.label.table import LabelTable
from gateway.prompt.label.labels import Change
from gateway.settings.tree import Store
from gateway.store.migrate import open_store

def enter(move, *, withdrawn=False):
    print(move.seq, flush=True)
    os._exit(9)

table = LabelTable(open_store(Store(path=sys.argv[1], database=sys.argv[2])))
table.move(Change(prompt="support/triage", label="production", version="v2", by="os:ada"), enter=enter)
"""


def test_a_process_that_dies_between_entry_and_row_leaves_its_number_to_the_next(
    store: Store, table: LabelTable, log: Log
) -> None:
    table.move(CHANGE, enter=log)
    command = [sys.executable, "-W", "error", "-c", DIES, str(store.path), store.database]
    died = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (died.returncode, died.stdout) == (9, "2\n"), died.stderr
    assert table.moves() == (MOVE,)
    assert table.move(to("v3"), enter=log).seq == 2


def test_a_rollback_goes_back_in_one_move(table: LabelTable, log: Log) -> None:
    for version in ("v1", "v2", "v3"):
        table.move(to(version), enter=log)
    one = table.rollback(PROMPT, "production", by="os:bob", why="bad", expected="v3", enter=log)
    assert one == replace(MOVE, seq=4, version="v2", before="v3", by="os:bob", why="bad")
    assert table.rollback(PROMPT, "production", by="os:bob", why="bad", enter=log).version == "v1"
    assert table.rollback(PROMPT, "production", version="v3", by="os:bob", why="good", enter=log).version == "v3"
    assert [version for version, _ in log.moves] == ["v1", "v2", "v3", "v2", "v1", "v3"]


def test_a_rollback_to_nowhere_is_refused(table: LabelTable, log: Log) -> None:
    with pytest.raises(NotFound):
        table.rollback(PROMPT, "production", by="os:bob", why="bad", enter=log)
    table.move(CHANGE, enter=log)
    with pytest.raises(InvalidRequest):
        table.rollback(PROMPT, "production", by="os:bob", why="bad", enter=log)
    with pytest.raises(InvalidRequest):
        table.rollback(PROMPT, "production", version="v2", by="os:bob", why="bad", enter=log)
    assert log.moves == [("v1", False)]


def test_seeds_set_only_labels_that_were_never_moved(table: LabelTable, log: Log) -> None:
    table.move(to("v3"), enter=log)
    made = table.seed(PROMPT, {"production": "v1", "staging": "v2"}, enter=log)
    assert [(move.label, move.version, move.by, move.before) for move in made] == [("staging", "v2", SEED, None)]
    assert log.entered[1:] == [(made[0], False)]
    assert table.seed(PROMPT, {"production": "v1", "staging": "v1"}, enter=log) == ()
    assert {move.label: move.version for move in table.current()} == {"production": "v3", "staging": "v2"}


def test_a_seed_that_another_process_set_first_is_that_one_s(engine: Engine, log: Log) -> None:
    first, other = Log(), LabelTable(engine)
    late = LateTable(engine, before_write=lambda: other.seed(PROMPT, {"production": "v1"}, enter=first))
    assert late.seed(PROMPT, {"production": "v1"}, enter=log) == ()
    assert (len(first.entered), log.entered) == (1, [])


class LateTable(LabelTable):
    """One that another process overtakes after it has looked."""

    def __init__(self, engine: Engine, *, before_write: Callable[[], object]) -> None:
        super().__init__(engine)
        self._before_write = before_write

    def move(self, change: Change, *, expected: Expected, enter: Any) -> Move:  # type: ignore[override]
        self._before_write()
        return super().move(change, expected=expected, enter=enter)


@pytest.mark.parametrize("labels", [{"v7": "v1"}, {"production": "draft"}, {"Production": "v1"}])
def test_a_seed_that_cannot_be_is_refused(table: LabelTable, log: Log, labels: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        table.seed(PROMPT, labels, enter=log)
    assert log.entered == []


def test_a_move_of_a_later_program_is_said_to_be_one(table: LabelTable, engine: Engine) -> None:
    later = {name: getattr(MOVE, name) for name in COLUMNS} | {"sticky": "region"}
    with engine.begin() as connection:
        connection.execute(insert(label_moves).values(later))
    with pytest.raises(SettingsError, match="Move 1 of a label is of a form that this program does not know"):
        table.current()


def test_without_its_table_the_database_is_unavailable(table: LabelTable, engine: Engine, log: Log) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE label_moves"))
    asked: list[Callable[[], object]] = [
        table.last_seq,
        table.current,
        table.moves,
        lambda: table.move(CHANGE, enter=log),
        lambda: table.seed(PROMPT, {"production": "v1"}, enter=log),
    ]
    for ask in asked:
        with pytest.raises(Unavailable, match=r"^The label database does not answer; try again\.$") as caught:
            ask()
        assert caught.value.retry_after == 1.0
        assert "label_moves" not in caught.value.reason
    assert log.entered == []
