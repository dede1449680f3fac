"""What is counted before it is told of in an entry: refusals without an exchange, and exchanges that went on unrecorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from gateway.audit.clock import Moment
from gateway.audit.hole import Hole
from gateway.audit.queue import Queue
from gateway.audit.refusals import MINUTE, Refusals

SECOND: Final = 1_000_000
"""Microseconds."""
SOON: Final = 1.0
"""Seconds after which a hole is told of, where none was in the minute before."""


class Untold:
    """Counts, and asks to be told within the minute; `tell_in` takes seconds. Times are in microseconds since 1970."""

    def __init__(self, tell_in: Callable[[float], None]) -> None:
        self._tell_in = tell_in
        self._refusals = Refusals()
        self._hole = Hole()
        self._told = 0

    def missed(self, reason: str, at: int) -> None:
        """Count an exchange that goes on unrecorded; `reason` says what the log could not do."""
        self._hole.count(reason, at)
        self._tell_in(SOON if at - self._told > MINUTE else MINUTE / SECOND)

    def refused(self, code: str, *, tenant: str, key: str, at: int) -> None:
        """Count a refusal without an exchange."""
        self._refusals.count(code, tenant=tenant, key=key, at=at)
        self._tell_in((MINUTE - at % MINUTE) / SECOND)

    def folds(self, code: str, *, tenant: str, key: str, at: int) -> bool:
        """Tell whether a known caller's refusal is one too many of its minute; then it is counted as refused."""
        if self._refusals.folds(code, key=key, at=at):
            self.refused(code, tenant=tenant, key=key, at=at)
            return True
        return False

    def tell(self, queue: Queue, moment: Moment) -> None:
        """Enter what has been counted; where that is lost, it counts again."""
        refused = self._refusals.take(moment)
        if refused is not None:
            queue.enter(refused, undo=partial(self._refusals.put_back, refused))
        gap = self._hole.take(moment)
        if gap is not None:
            queue.enter(gap, undo=partial(self._hole.put_back, gap))
            self._told = moment.at
