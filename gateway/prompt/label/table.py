"""The table of labels' moves: one history for all processes, in SQLite or PostgreSQL.

Invariants
- A move and its entry in the log are one: the entry is durable before the row is committed, and where the log refuses, nothing
  moves. Where the row cannot be committed after that, the log is told that the move is withdrawn. Only a process that dies
  between the two, a log that fails so that what it refused is on its disk all the same, or a database that does not even say
  whether it has the row, leaves an entry without a row: the next move then bears the same `seq`, which no two rows do.
- Moves are made one after the other, whoever makes them, and numbered in the order in which they become visible: who has read
  the latest `seq` has missed none before it.
- Rows are only added: the database itself refuses to change or delete one.

Every method waits for the database, so call from a thread. Each raises `Unavailable` when it does not answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, Protocol, cast, get_args

from msgspec import UNSET, UnsetType
from sqlalchemy import Connection, Engine, Row, Select, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import Conflict, SettingsError, Unavailable
from gateway.prompt.label.labels import SEED, Change, Move, Sticky, back, check
from gateway.store.answering import answering
from gateway.store.schema import label_moves

DATABASE: Final = "label database"
STICKIES: Final[tuple[Sticky, ...]] = get_args(Sticky)

Expected = str | UnsetType | None
"""The version that a label must stand for so that it is moved: none where it must not be there yet; unset for any."""


class Enter(Protocol):
    """The way into the log."""

    def __call__(self, move: Move, /, *, withdrawn: bool = False) -> None:
        """Enter a move, or that it is withdrawn, and return once that is durable; what it raises goes on to who moves."""


class LabelTable:
    """Labels in a database whose schema is current. `now` is in seconds since 1970."""

    def __init__(self, engine: Engine, *, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now

    def last_seq(self) -> int:
        """Return the `seq` of the latest move, 0 where there is none."""
        with answering(DATABASE), self._engine.connect() as connection:
            return _last(connection)

    def current(self) -> tuple[Move, ...]:
        """Return the move of every label that holds."""
        latest = select(func.max(label_moves.c.seq)).group_by(label_moves.c.prompt, label_moves.c.label)
        return self._read(select(label_moves).where(label_moves.c.seq.in_(latest)))

    def moves(self, prompt: str | None = None, label: str | None = None) -> tuple[Move, ...]:
        """Return all moves, or those of a prompt, or of one of its labels, the oldest first."""
        return self._read(_history(prompt, label))

    def move(self, change: Change, *, expected: Expected = UNSET, enter: Enter) -> Move:
        """Move a label, and return how it was moved once that is stored.

        Raises `InvalidRequest` for a change that cannot be made, `Conflict` (label_moved) where the label does not stand for the
        version that was expected, and what `enter` raises: then nothing has moved.
        """
        check(change)
        return self._write(change.prompt, change.label, decide=lambda _history: change, expected=expected, enter=enter)

    def rollback(
        self,
        prompt: str,
        label: str,
        *,
        version: str | None = None,
        by: str,
        why: str,
        expected: Expected = UNSET,
        enter: Enter,
    ) -> Move:
        """Move a label back to a version that it stood for before (`gateway.prompt.label.labels.back`); raises as `move` does."""
        decide = partial(back, version=version, by=by, why=why)
        return self._write(prompt, label, decide=decide, expected=expected, enter=enter)

    def seed(self, prompt: str, labels: Mapping[str, str], *, enter: Enter) -> tuple[Move, ...]:
        """Set those of a prompt's labels, each to its version, that were never moved; return the moves that this took.

        Several processes may do so at once: each label is set once. Raises as `move` does.
        """
        known = {move.label for move in self.moves(prompt)}
        made = []
        for label, version in labels.items():
            if label not in known:
                change = Change(prompt=prompt, label=label, version=version, by=SEED)
                with suppress(Conflict):  # another process was first
                    made.append(self.move(change, expected=None, enter=enter))
        return tuple(made)

    def _read(self, query: Select[Any]) -> tuple[Move, ...]:
        with answering(DATABASE), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(label_moves.c.seq)).all()
        return tuple(_move(row) for row in rows)

    def _write(
        self, prompt: str, label: str, *, decide: Callable[[Sequence[Move]], Change], expected: Expected, enter: Enter
    ) -> Move:
        with self._connected() as connection:
            with answering(DATABASE):
                _lock(connection)
                history = [_move(row) for row in connection.execute(_history(prompt, label).order_by(label_moves.c.seq))]
                _compare(history, expected)
                move = self._next(connection, history, decide(history))
                connection.execute(insert(label_moves).values(_values(move)))
            enter(move)
            try:
                connection.commit()
            except (SQLAlchemyError, OSError) as error:
                connection.invalidate()  # its transaction may still be open, and hold the lock
                failure = error
            else:
                return move
        return self._settle(move, enter, failure=failure)

    def _settle(self, move: Move, enter: Enter, *, failure: Exception) -> Move:
        """Find out what became of a move whose commit failed: it is stored all the same, or withdrawn in the log, too."""
        reason = f"label database: {type(failure).__name__}"
        try:
            stored = self._stored(move)
        except Unavailable as error:
            raise Unavailable(
                f"Whether the label was moved is not known: the log tells of move {move.seq}, the database did not confirm it."
                " Look at the label's history before you try again.",
                retry_after=1.0,
                reason=reason,
            ) from error
        if stored:
            return move
        enter(move, withdrawn=True)
        raise Unavailable("The move could not be stored: nothing has changed. Try again.", retry_after=1.0, reason=reason)

    def _stored(self, move: Move) -> bool:
        with self._connected() as connection, answering(DATABASE):
            _lock(connection)  # whatever was on its way is over then
            row = connection.execute(select(label_moves).where(label_moves.c.seq == move.seq)).one_or_none()
            return row is not None and _move(row) == move

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Open a connection for writing; what is not committed is taken back."""
        with answering(DATABASE):
            connection = self._engine.execution_options(begin="BEGIN IMMEDIATE").connect()
        try:
            yield connection
        finally:
            try:
                connection.close()
            except (SQLAlchemyError, OSError):  # it is taken back when the connection ends
                if not connection.closed:
                    connection.invalidate()

    def _next(self, connection: Connection, history: Sequence[Move], change: Change) -> Move:
        before = history[-1].version if history else None
        wanted = {name: getattr(change, name) for name in Change.__slots__}
        return Move(**wanted, seq=_last(connection) + 1, at=int(self._now()), before=before)


def _lock(connection: Connection) -> None:
    """Wait until nobody else moves a label, and let nobody else until the transaction ends; who reads is never kept waiting."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE label_moves IN EXCLUSIVE MODE"))
    else:
        connection.begin()  # BEGIN IMMEDIATE is SQLite's lock


def _last(connection: Connection) -> int:
    return connection.execute(select(func.max(label_moves.c.seq))).scalar_one() or 0


def _history(prompt: str | None, label: str | None) -> Select[Any]:
    query = select(label_moves)
    if prompt is not None:
        query = query.where(label_moves.c.prompt == prompt)
    return query if label is None else query.where(label_moves.c.label == label)


def _compare(history: Sequence[Move], expected: Expected) -> None:
    now = history[-1].version if history else None
    if expected is not UNSET and expected != now:
        raise Conflict("Somebody else has moved the label since: look at it, then try again.", code="label_moved")


def _values(move: Move) -> dict[str, Any]:
    return {column.name: getattr(move, column.name) for column in label_moves.columns}


def _move(row: Row[Any]) -> Move:
    values = row._asdict()
    if values["sticky"] not in STICKIES:
        raise SettingsError(
            f"Move {values['seq']} of a label is of a form that this program does not know: run the newer version"
        )
    return Move(**(values | {"sticky": cast("Sticky", values["sticky"])}))
