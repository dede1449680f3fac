"""A hole in the log: exchanges that went on unrecorded, to be told of when the log works again. Pure."""

from __future__ import annotations

from gateway.audit.clock import Moment
from gateway.audit.entry import Gap


class Hole:
    """Counts exchanges that went on without being entered; times are in microseconds since 1970."""

    def __init__(self) -> None:
        self._exchanges = 0
        self._since = 0
        self._until = 0
        self._reason = ""

    def count(self, reason: str, at: int) -> None:
        """Count one exchange; the first one's `reason` stands for the hole."""
        self._add(reason, 1, since=at, until=at)

    def take(self, moment: Moment) -> Gap | None:
        """Return an entry of what has been counted since the last time, or None where nothing was."""
        if not self._exchanges:
            return None
        exchanges, self._exchanges = self._exchanges, 0
        return Gap(at=moment.at, mono=moment.mono, since=self._since, until=self._until, exchanges=exchanges, reason=self._reason)

    def put_back(self, entry: Gap) -> None:
        """Count again what an entry told that was lost."""
        self._add(entry.reason, entry.exchanges, since=entry.since, until=entry.until)

    def _add(self, reason: str, exchanges: int, *, since: int, until: int) -> None:
        counted = self._exchanges > 0
        self._since = min(self._since, since) if counted else since
        self._until = max(self._until, until) if counted else until
        self._reason = self._reason if counted else reason
        self._exchanges += exchanges
