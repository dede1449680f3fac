from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.budget.window import MOST_SPANS, NEVER, Span, bounds, holds, translated, with_span
from gateway.settings.tree import BudgetWindow

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants naive
KINDS: list[BudgetWindow] = ["minute", "hour", "day", "month"]
FORMS: dict[BudgetWindow, str] = {"minute": "%Y-%m-%dT%H:%M", "hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


def at(*parts: int) -> int:
    return micros(datetime(*parts, tzinfo=UTC))  # type: ignore[misc, arg-type]


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("kind", "begins", "ends"),
    [
        ("minute", at(2026, 12, 31, 23, 59), at(2027, 1, 1)),
        ("hour", at(2026, 12, 31, 23), at(2027, 1, 1)),
        ("day", at(2026, 12, 31), at(2027, 1, 1)),
        ("month", at(2026, 12, 1), at(2027, 1, 1)),
        ("total", -NEVER, NEVER),
    ],
)
def test_the_last_microsecond_of_a_year(kind: BudgetWindow, begins: int, ends: int) -> None:
    assert bounds(kind, at(2027, 1, 1) - 1) == (begins, ends)


def test_february_is_as_long_as_its_year_has_it() -> None:
    assert bounds("month", at(2028, 2, 29, 12)) == (at(2028, 2, 1), at(2028, 3, 1))
    assert bounds("month", at(2026, 2, 28, 23)) == (at(2026, 2, 1), at(2026, 3, 1))
    assert bounds("month", at(2100, 2, 28, 23)) == (at(2100, 2, 1), at(2100, 3, 1))


def test_a_clock_before_1970_has_windows_too() -> None:
    assert bounds("day", -1) == (-DAY, 0)
    assert bounds("month", -1) == (at(1969, 12, 1), 0)


@given(TIMES, st.sampled_from(KINDS))
def test_a_window_is_what_the_calendar_of_utc_says(moment: datetime, kind: BudgetWindow) -> None:
    now = micros(moment)
    begins, ends = bounds(kind, now)
    assert begins <= now < ends
    form = FORMS[kind]
    first, last, after = (EPOCH + timedelta(microseconds=each) for each in (begins, ends - 1, ends))
    assert first.strftime(form) == moment.strftime(form) == last.strftime(form) != after.strftime(form)
    assert bounds(kind, ends)[0] == ends
    assert bounds(kind, begins - 1)[1] == begins


SPANS = st.lists(st.integers(0, 1_000), min_size=1, max_size=40)


@given(SPANS)
def test_spans_forget_nothing_and_stay_few(firsts: list[int]) -> None:
    spans: list[Span] = []
    for first in firsts:
        spans = with_span(spans, (first, first))
    assert len(spans) <= MOST_SPANS
    assert spans == sorted(spans)
    assert all(holds(spans, first) for first in firsts)
    assert all(one[1] < other[0] for one, other in pairwise(spans))


def test_the_widest_gaps_stay_open() -> None:
    spans: list[Span] = []
    for first in [*range(100), *range(100_000, 100_100), *range(5_000, 5_010)]:
        spans = with_span(spans, (first, first))
    assert not holds(spans, 2_000)
    assert not holds(spans, 50_000)
    assert holds(spans, 50)


def test_spans_that_overlap_become_one() -> None:
    assert with_span([(1, 5), (10, 20)], (3, 12)) == [(1, 20)]
    assert with_span([(1, 9)], (3, 4)) == [(1, 9)]


def test_a_span_of_days_covers_their_hours_and_of_today_those_that_are_over() -> None:
    now = at(2026, 11, 15, 12, 30)
    past = (at(2026, 11, 13), at(2026, 11, 14))
    assert translated(past, "day", "hour", now=now) == (at(2026, 11, 13), at(2026, 11, 14, 23))
    today = (at(2026, 11, 15), at(2026, 11, 15))
    assert translated(today, "day", "hour", now=now) == (at(2026, 11, 15), at(2026, 11, 15, 12))
    ahead = (at(2027, 11, 15), at(2027, 11, 15))
    assert translated(ahead, "day", "hour", now=now) == (at(2027, 11, 15), at(2027, 11, 15, 23))
    assert translated(today, "day", "total", now=now) == (-NEVER, -NEVER)


def test_a_total_span_covers_all_of_the_past() -> None:
    now = at(2026, 11, 15, 12, 30)
    assert translated((-NEVER, -NEVER), "total", "day", now=now) == (-NEVER, at(2026, 11, 15))


def test_a_span_without_a_beginning_keeps_none_whatever_it_is_told_in_next() -> None:
    now = at(2026, 11, 15, 12, 30)
    hours = translated((-NEVER, -NEVER), "total", "hour", now=now)
    assert hours == (-NEVER, at(2026, 11, 15, 12))
    assert translated(hours, "hour", "month", now=now) == (-NEVER, at(2026, 11, 1))
