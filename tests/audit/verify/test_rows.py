"""What can be read of a damaged database is read, what cannot is named."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.reader import ROWS, Reader, ReadError, Row
from gateway.audit.verify.rows import Unreadable, rows
from tests.audit.generated import Traffic, generate


@dataclass
class Spoilt:
    """A log of rows of two entries, some of which SQLite cannot read."""

    count: int
    unreadable: set[int]
    without_last: bool = False
    circling: bool = False
    asked: list[int] = field(default_factory=list)

    def rows(self, first: int, *, most: int = ROWS) -> list[Row]:
        self.asked.append(first)
        found = [number for number in range(0, 2 * self.count, 2) if number >= first][:most]
        if self.unreadable & set(found):
            raise ReadError("malformed")
        return [Row(0 if self.circling and number else number, 2, None, b"", b"") for number in found]

    def last(self) -> int | None:
        if self.without_last:
            raise ReadError("malformed")
        return 2 * (self.count - 1) if self.count else None


def read(spoilt: Spoilt) -> list[int | Unreadable]:
    return [each if isinstance(each, Unreadable) else each.first for each in rows(cast("Any", spoilt))]


def test_all_rows_of_a_sound_log_come_in_order(tmp_path: Path) -> None:
    with closing(Reader(generate(tmp_path, Traffic(100), batch=3))) as reader:
        found = [each.first for each in rows(reader) if isinstance(each, Row)]
        assert found == list(range(0, found[-1] + 1, 3))
        assert len(found) > 3 * ROWS


@given(st.integers(0, 60), st.sets(st.integers(0, 59)))
def test_every_row_is_read_or_named_as_unreadable_and_none_is_both(count: int, bad: set[int]) -> None:
    unreadable = {2 * number for number in bad if number < count}
    read_rows, gaps = set(), []
    for each in read(Spoilt(count, unreadable)):
        if isinstance(each, Unreadable):
            gaps.append(range(each.first, 2 * count if each.following is None else each.following))
        else:
            read_rows.add(each)
    assert read_rows == {number for number in range(0, 2 * count, 2) if not any(number in gap for gap in gaps)}
    assert read_rows.isdisjoint(unreadable)
    assert all(any(number in gap for gap in gaps) for number in unreadable)


def test_a_stretch_that_cannot_be_read_is_named_to_its_last_entry() -> None:
    found = read(Spoilt(60, set(range(40, 80, 2))))
    (gap,) = [each for each in found if isinstance(each, Unreadable)]
    assert gap == Unreadable(39, 79, "malformed")
    assert [each for each in found if each != gap] == [*range(0, 40, 2), *range(80, 120, 2)]


def test_where_nothing_more_can_be_read_the_rest_is_named() -> None:
    assert read(Spoilt(5, {8}))[-1] == Unreadable(7, None, "malformed")
    assert read(Spoilt(5, {0, 2, 4, 6, 8})) == [Unreadable(0, None, "malformed")]
    assert read(Spoilt(5, {4}, without_last=True))[-1] == Unreadable(3, None, "malformed")
    assert read(Spoilt(0, set())) == []


def test_rows_that_go_in_circles_end_the_reading() -> None:
    found = read(Spoilt(50, set(), circling=True))
    assert found == [0, Unreadable(1, None, "the rows are not in the order of their entries")]


def test_looking_for_the_end_of_a_stretch_takes_few_questions() -> None:
    spoilt = Spoilt(100_000, set(range(20, 190_000, 2)))
    assert len(read(spoilt)) == 100_000 - 94_990 + 1
    assert len([first for first in spoilt.asked if 20 < first < 190_000]) < 60
