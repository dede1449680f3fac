from __future__ import annotations

from msgspec import to_builtins

from gateway.audit.batch import Stall
from gateway.audit.canonical import decode
from gateway.audit.clock import Moment
from gateway.audit.entry import Gap, Refused
from gateway.audit.queue import Queue
from gateway.audit.refusals import EACH, MINUTE
from gateway.audit.untold import Untold


class Told:
    """What was asked to be told when, and what was told."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.untold = Untold(self.asked.append)
        self.queue = Queue(0, {}, stall=Stall())

    def tell(self, at: int) -> list[Gap | Refused]:
        self.untold.tell(self.queue, Moment(at=at, mono=1))
        batch = self.queue.swap()
        entries = [decode(each) for each in batch.entries] if batch else []
        assert all(isinstance(each, (Gap, Refused)) for each in entries), [to_builtins(each) for each in entries]
        return entries  # type: ignore[return-value]


def test_refusals_are_told_when_their_minute_is_over() -> None:
    told = Told()
    told.untold.refused("not_found", tenant="", key="", at=7 * MINUTE + 15_000_000)
    assert told.asked == [45.0]
    (entry,) = told.tell(8 * MINUTE)
    assert isinstance(entry, Refused)
    assert entry.total == 1


def test_a_hole_is_told_at_once_and_then_every_minute_while_it_lasts() -> None:
    told = Told()
    told.untold.missed("EIO", at=7 * MINUTE)
    assert told.asked == [1.0]
    assert isinstance(told.tell(7 * MINUTE + 1)[0], Gap)
    told.untold.missed("EIO", at=7 * MINUTE + 2)
    assert told.asked == [1.0, 60.0]
    assert len(told.tell(8 * MINUTE + 2)) == 1
    told.untold.missed("EIO", at=12 * MINUTE)
    assert told.asked == [1.0, 60.0, 1.0]


def test_nothing_counted_is_nothing_told() -> None:
    assert Told().tell(1) == []


def test_refusals_of_a_known_caller_are_counted_from_the_sixty_first_on() -> None:
    told = Told()
    folded = [told.untold.folds("invalid_field", tenant="acme", key="abc", at=MINUTE + at) for at in range(EACH + 2)]
    assert folded == [False] * EACH + [True] * 2
    (entry,) = told.tell(2 * MINUTE)
    assert isinstance(entry, Refused)
    assert [(each.key, each.count) for each in entry.refusals] == [("abc", 2)]


def test_what_was_lost_is_told_again() -> None:
    told = Told()
    told.untold.refused("not_found", tenant="", key="", at=MINUTE)
    told.untold.missed("EIO", at=MINUTE)
    told.untold.tell(told.queue, Moment(at=MINUTE, mono=1))
    assert told.queue.length == 2
    told.queue.drop("EIO")
    assert [type(each) for each in told.tell(MINUTE)] == [Refused, Gap]
