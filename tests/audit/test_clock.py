from __future__ import annotations

import time

from gateway.audit.clock import LARGEST_STEP, Clock, Moment

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


class Hands:
    """Two clocks that a test moves, in nanoseconds."""

    def __init__(self) -> None:
        self.wall = 1_795_500_000 * SECOND
        self.monotonic = 7 * SECOND

    def pass_by(self, nanoseconds: int) -> None:
        self.wall += nanoseconds
        self.monotonic += nanoseconds

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)


def test_a_moment_is_in_microseconds_of_both_clocks() -> None:
    assert Hands().clock().now() == Moment(at=1_795_500_000_000_000, mono=7_000_000)


def test_time_that_passes_is_no_step() -> None:
    hands = Hands()
    clock = hands.clock()
    for _ in range(3):
        hands.pass_by(DAY)
        assert clock.stepped(clock.now()) == 0


def test_a_wall_clock_that_was_set_is_told_once() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.pass_by(SECOND)
    hands.wall -= 3600 * SECOND
    assert clock.stepped(clock.now()) == -3_600_000_000
    assert clock.stepped(clock.now()) == 0


def test_small_corrections_add_up_until_they_are_told() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall += LARGEST_STEP * 1000
    assert clock.stepped(clock.now()) == 0
    hands.wall += 1000
    assert clock.stepped(clock.now()) == LARGEST_STEP + 1


def test_a_clock_reads_the_machine_s_time() -> None:
    before = time.time_ns() // 1000
    moment = Clock().now()
    assert before <= moment.at <= time.time_ns() // 1000
    assert Clock().stepped(moment) == 0
