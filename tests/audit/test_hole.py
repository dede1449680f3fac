from __future__ import annotations

from gateway.audit.clock import Moment
from gateway.audit.entry import Gap
from gateway.audit.hole import Hole

NOW = Moment(at=900, mono=9)


def test_a_hole_tells_how_many_exchanges_between_which_times_and_why() -> None:
    hole = Hole()
    for at in (300, 200, 400):
        hole.count("SQLITE_FULL" if at == 300 else "later", at)
    assert hole.take(NOW) == Gap(at=900, mono=9, since=200, until=400, exchanges=3, reason="SQLITE_FULL")


def test_what_was_told_is_not_told_again() -> None:
    hole = Hole()
    assert hole.take(NOW) is None
    hole.count("EIO", 100)
    assert hole.take(NOW) is not None
    assert hole.take(NOW) is None


def test_what_could_not_be_written_is_told_with_what_came_after() -> None:
    hole = Hole()
    hole.count("EIO", 100)
    told = hole.take(NOW)
    assert told is not None
    hole.count("later", 700)
    hole.put_back(told)
    assert hole.take(NOW) == Gap(at=900, mono=9, since=100, until=700, exchanges=2, reason="later")
    hole.put_back(told)
    assert hole.take(NOW) == told
