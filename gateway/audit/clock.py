"""Time as entries tell it: the wall clock, and a monotonic one to check it by."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

MICROSECOND = 1000
"""Nanoseconds."""
LARGEST_STEP = 1_000_000
"""Microseconds that the wall clock may move against the monotonic one without being told of: NTP slews, it rarely steps."""


class Moment(NamedTuple):
    """A point in time, in microseconds: since 1970 (UTC), and of the process's monotonic clock."""

    at: int
    mono: int


class Clock:
    """Reads both clocks, and notes when one moves against the other. `wall` and `monotonic` give nanoseconds."""

    def __init__(self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = (wall() - monotonic()) // MICROSECOND

    def now(self) -> Moment:
        """Return this moment."""
        return Moment(self._wall() // MICROSECOND, self._monotonic() // MICROSECOND)

    def stepped(self, moment: Moment) -> int:
        """Return by how much the wall clock has moved against the monotonic one since it was last told; 0 if by little."""
        step = moment.at - moment.mono - self._offset
        if -LARGEST_STEP <= step <= LARGEST_STEP:
            return 0
        self._offset += step
        return step
