"""Refusals without an exchange of their own, counted by reason and minute. Pure.

Invariants
- Nothing that strangers can send makes this grow: `MOST_KINDS` reasons are told apart, the rest is counted under `other`.
- What was counted is told once, in `take`; what could not be written comes back by `put_back`.
"""

from __future__ import annotations

from typing import Final

from gateway.audit.clock import Moment
from gateway.audit.entry import MOST_ITEMS, Refusal, Refused

MINUTE: Final = 60_000_000
"""Microseconds."""
EACH: Final = 60
"""Equal refusals of a key and minute that get entries of their own."""
MOST_KINDS: Final = MOST_ITEMS - 1
MOST_KEYS: Final = 10_000
"""Pairs of reason and key whose refusals of the current minute are told apart; those beyond have no entries of their own."""
OTHER: Final = "other"

_Kind = tuple[str, str, str]


class Refusals:
    """Counts refusals until they are taken; times are in microseconds since 1970."""

    def __init__(self) -> None:
        self._counts: dict[_Kind, int] = {}
        self._since = 0
        self._until = 0
        self._minute = 0
        self._seen: dict[tuple[str, str], int] = {}

    def count(self, code: str, *, tenant: str = "", key: str = "", at: int) -> None:
        """Count one refusal; `tenant` and `key` are empty where the caller is not known."""
        self._add((code, tenant, key), 1, since=at, until=at)

    def folds(self, code: str, *, key: str, at: int) -> bool:
        """Tell whether a known caller's refusal is one too many of its minute to get entries of its own."""
        if at // MINUTE != self._minute:
            self._minute = at // MINUTE
            self._seen.clear()
        seen = self._seen.get((code, key), 0)
        if seen < EACH and (seen or len(self._seen) < MOST_KEYS):
            self._seen[code, key] = seen + 1
            return False
        return True

    def take(self, moment: Moment) -> Refused | None:
        """Return an entry of what has been counted since the last time, or None where nothing was."""
        if not self._counts:
            return None
        counts, self._counts = self._counts, {}
        refusals = [Refusal(code=code, tenant=tenant, key=key, count=count) for (code, tenant, key), count in counts.items()]
        return Refused(
            at=moment.at,
            mono=moment.mono,
            since=self._since,
            until=self._until,
            total=sum(counts.values()),
            refusals=sorted(refusals, key=lambda each: -each.count),
        )

    def put_back(self, entry: Refused) -> None:
        """Count again what an entry told that was lost."""
        for each in entry.refusals:
            self._add((each.code, each.tenant, each.key), each.count, since=entry.since, until=entry.until)

    def _add(self, kind: _Kind, count: int, *, since: int, until: int) -> None:
        self._since = min(self._since, since) if self._counts else since
        self._until = max(self._until, until) if self._counts else until
        if kind not in self._counts and len(self._counts) >= MOST_KINDS:
            kind = (OTHER, "", "")
        self._counts[kind] = self._counts.get(kind, 0) + count
