"""A text is cut where tokenizers cut it, and nothing of it is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.slices import SLICE_CHARS, STRETCH_CHARS, WINDOW_CHARS, slices_of

WORDS = st.text(st.sampled_from("ab1 .,'\n\u00e9\u4e2d\u3002!-_/\u0301\u00a0"), max_size=200)


@given(WORDS, st.integers(2, 20))
def test_the_parts_are_the_text(text: str, size: int) -> None:
    slices = slices_of(text, slice_chars=size)
    assert "".join(slices.counted) == text
    assert all(slices.counted)


@given(WORDS, st.integers(2, 20))
def test_a_part_ends_behind_a_letter_and_the_next_begins_with_none(text: str, size: int) -> None:
    parts = slices_of(text, slice_chars=size).counted
    for left, right in pairwise(parts):
        assert left[-1].isalnum()
        assert not right[0].isalnum()
        assert right[0] != "'"


def test_a_short_text_is_one_part() -> None:
    text = "word " * (SLICE_CHARS // 5)
    assert slices_of(text).counted == [text]


def test_an_empty_text_has_no_parts() -> None:
    assert slices_of("").counted == []


def test_a_long_text_is_cut_into_parts_of_about_one_size() -> None:
    parts = slices_of("many words " * 100_000).counted
    assert len(parts) > 10
    assert max(map(len, parts)) <= SLICE_CHARS + WINDOW_CHARS


@pytest.mark.parametrize("letter", [" ", "a", "'", "\u4e2d"])
def test_a_stretch_without_a_place_to_cut_is_not_counted_when_it_is_too_long(letter: str) -> None:
    stretch = letter * (2 * STRETCH_CHARS)
    slices = slices_of("before. " + stretch)
    assert sum(map(len, slices.uncounted)) >= len(stretch)


def test_a_place_at_the_end_of_a_window_is_found() -> None:
    text = "a" * (SLICE_CHARS // 2 + WINDOW_CHARS) + " " + "a" * SLICE_CHARS
    assert [len(part) for part in slices_of(text).counted] == [SLICE_CHARS // 2 + WINDOW_CHARS, SLICE_CHARS + 1]


def test_what_follows_a_stretch_is_counted() -> None:
    slices = slices_of(" " * (2 * STRETCH_CHARS) + "word " * SLICE_CHARS)
    assert len(slices.uncounted) == 1
    assert sum(map(len, slices.counted)) > 4 * SLICE_CHARS
