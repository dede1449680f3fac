"""Windows of UTC: which one a time is in, and which were used and are remembered no more. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from gateway.settings.tree import BudgetWindow

SECOND: Final = 1_000_000
NEVER: Final = 2**62
"""Microseconds since 1970 that no clock reaches: the end of a `total` window."""
MOST_SPANS: Final = 4

_LENGTHS: Final = {"minute": 60 * SECOND, "hour": 3_600 * SECOND, "day": 86_400 * SECOND}

Span = tuple[int, int]
"""The beginnings of the first and the last of some windows, in microseconds since 1970."""


def bounds(window: BudgetWindow, now: int) -> tuple[int, int]:
    """Return the first microsecond of the window that `now` is in, and that of the next one."""
    if window == "total":
        return -NEVER, NEVER
    if window == "month":
        return _month(now)
    length = _LENGTHS[window]
    begins = now - now % length
    return begins, begins + length


def _month(now: int) -> tuple[int, int]:
    day = datetime.fromtimestamp(now // SECOND, UTC)
    years, month = divmod(day.month, 12)
    begins = datetime(day.year, day.month, 1, tzinfo=UTC)
    ends = datetime(day.year + years, month + 1, 1, tzinfo=UTC)
    return int(begins.timestamp()) * SECOND, int(ends.timestamp()) * SECOND


def holds(spans: list[Span], begins: int) -> bool:
    """Tell whether a window is within one of the spans."""
    return any(first <= begins <= last for first, last in spans)


def translated(span: Span, was: BudgetWindow, window: BudgetWindow, *, now: int) -> Span:
    """Return the span of another kind of window that holds a span; of one that holds `now` no more than up to now."""
    first, last = span
    ends = bounds(was, last)[1]
    final = now if first <= now < ends else ends - 1
    return first if first <= -NEVER else bounds(window, first)[0], bounds(window, final)[0]


def with_span(spans: list[Span], span: Span) -> list[Span]:
    """Return spans that hold these and one more, at most `MOST_SPANS`, sorted: the ones nearest to each other grow together.

    What lies between two that do is held, too. Where a clock was once wrong by long, the widest gaps are those that it left.
    """
    merged: list[Span] = []
    for first, last in sorted([*spans, span]):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    while len(merged) > MOST_SPANS:
        at = min(range(len(merged) - 1), key=lambda place: merged[place + 1][0] - merged[place][1])
        merged[at : at + 2] = [(merged[at][0], merged[at + 1][1])]
    return merged
