"""What is made for a pattern is accepted by Python's own engine, or the pattern is refused."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.fake.pattern import MAX_LENGTH, PatternError, sample

PATTERNS = [
    "",
    "abc",
    r"My SSN is 078-05-1120\.",
    r"\d{3}-\d{2}-\d{4}",
    r"(cat|dog)s? are (?:fine|good)",
    r"(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])",
    r"^[A-Z][a-z]+$",
    r"[^a-z]\w\W\s\S\D",
    r"[\d\-x]{2,5}[]a][^]a]",
    r"a*b+c?d{0}e{2,}f{1,3}?g++",
    r"\x41\u00e9\t\n\\\[\]\.",
    r"[a\]b]|c",
    r"(a(b(c|d)|e)f)+",
    r"[^\w]",
    r"[^\d]",
    r"[a-]",
    r".+@.+\.(com|org)",
    r"\bword\b",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_sample_is_accepted(pattern: str) -> None:
    assert re.fullmatch(pattern, sample(pattern)), sample(pattern)


@given(st.text())
def test_a_quoted_text_gives_that_text(text: str) -> None:
    assert sample(re.escape(text)) == text


@given(st.text(alphabet="ab|()[]^-?*+{},1\\d.", max_size=20))
def test_any_pattern_gives_a_sample_or_a_reason(pattern: str) -> None:
    with suppress(PatternError):
        sample(pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "not closed"),
        ("(a", "not closed"),
        ("a)", "unbalanced"),
        ("[a", "too early"),
        ("a\\", "too early"),
        ("*", "nothing to repeat"),
        ("(?=a)", "look-around"),
        (r"(a)\1", r"\1 is not supported"),
        (r"\x4g", "not hexadecimal"),
        ("[z-a]", "ends before it starts"),
        (r"[^\W\w]", "no simple character"),
        ("a{999999}", "too long"),
        ("((a{300}){300}){300}", "too long"),
        ("b" * (MAX_LENGTH + 1), "too long"),
        ("(" * 10_000, "too deep"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=re.escape(reason)):
        sample(pattern)
