"""What may be searched for: times, cursors, and how a time is written."""

from __future__ import annotations

import pytest

from gateway.audit.search.filters import KINDS, OUTCOMES, Filters, Place, cursor, iso, moment, prompt

NOW = 1_795_521_600.5
"""2026-11-24T12:00:00.5Z"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24", 1_795_478_400_000_000),
        ("2026-11-24T12:00:00", 1_795_521_600_000_000),
        ("2026-11-24T12:00:00Z", 1_795_521_600_000_000),
        ("2026-11-24T13:30:00.25+01:30", 1_795_521_600_250_000),
        ("90m", 1_795_516_200_500_000),
        ("7d", 1_794_916_800_500_000),
        ("1h", 1_795_518_000_500_000),
        ("30s", 1_795_521_570_500_000),
        ("999999d", 0),
        ("1969-12-31", 0),
    ],
)
def test_a_time_is_iso_8601_in_utc_or_how_long_ago(text: str, expected: int) -> None:
    assert moment(text, now=NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "24.11.2026", "7w", "-7d", "7 d", "1e3s", "9999999d", "0001-01-01T00:00:00+23:00"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment(text, now=NOW) is None


def test_a_cursor_is_a_place_and_its_text_is_the_cursor() -> None:
    for place in (Place(1_795_478_400_000_000, "0", 17), Place(0, "cli", 0), Place(2**53 - 1, "12", 2**53 - 1)):
        assert cursor(str(place)) == place


@pytest.mark.parametrize(
    "text", ["", "1-0", "1-0-1-1", "1-00-1", "1-x-1", "-1-0-1", "1-0-1\n", "1-0-x", "\u0661-0-1", "1-0-12345678901234567"]
)
def test_what_is_no_cursor_is_none(text: str) -> None:
    assert cursor(text) is None


def test_a_time_is_written_as_iso_8601_in_utc_to_the_microsecond() -> None:
    assert iso(1_795_521_600_000_001) == "2026-11-24T12:00:00.000001Z"
    assert iso(0) == "1970-01-01T00:00:00.000000Z"
    assert iso(2**53 - 1) == "2255-06-05T23:47:34.740991Z"
    assert iso(2**63) == f"{2**63} µs"


def test_filters_take_any_exchange_unless_they_say_otherwise() -> None:
    assert Filters() == Filters("exchange", None, None, None, None, since=None, until=None, prompt=None, version=None)
    assert "abandoned" in OUTCOMES
    assert {"access", "caller", "label"} <= set(KINDS)
    assert "attempt" not in KINDS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("support/triage", ("support/triage", None)),
        ("support/triage@v7", ("support/triage", "v7")),
        ("a/b@draft", ("a/b", "draft")),
        ("0_-/0_-@v999999", ("0_-/0_-", "v999999")),
    ],
)
def test_a_prompt_is_its_id_or_a_version_of_it(text: str, expected: tuple[str, str | None]) -> None:
    assert prompt(text) == expected


@pytest.mark.parametrize(
    "text", ["", "triage", "a/b/c", "a/b@", "a/b@production", "a/b@v0", "a/b@7", "A/b", "a/b\n", "a/b@v7 ", "prompt/a/b", "%"]
)
def test_what_names_no_prompt_is_none(text: str) -> None:
    assert prompt(text) is None
