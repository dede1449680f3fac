"""A directive is followed to the letter or refused with the reason; it is never half followed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.fake import directive
from gateway.upstream.fake.directive import Directive, DirectiveError, parse, split


def test_a_line_is_taken_off_the_message() -> None:
    assert split("#fake delay=1\nhello\nthere") == ("delay=1", "hello\nthere")
    assert split("#fake delay=1") == ("delay=1", "")


@pytest.mark.parametrize("message", ["", "hello", " #fake delay=1", "#fakedelay=1", "hello\n#fake delay=1"])
def test_any_other_message_is_left_alone(message: str) -> None:
    assert split(message) == ("", message)


def test_every_key_is_read() -> None:
    line = (
        "fault=html after=5 times=2 only=m retry-after=1.5 size=10 delay=0.2 gap=0.02 text=hi chunks=7 reasoning=why refusal=no "
        'tool=a,b arguments="{\\"a\\": 1}" finish=length cached=9'
    )
    assert parse(line) == Directive(
        fault="html",
        after=5,
        times=2,
        only="m",
        retry_after=1.5,
        size=10,
        delay=0.2,
        gap=0.02,
        text="hi",
        chunks=7,
        reasoning="why",
        refusal="no",
        tool="a,b",
        arguments='{"a": 1}',
        finish="length",
        cached=9,
    )


def test_nothing_is_an_ordinary_answer() -> None:
    assert parse("") == Directive()


@given(st.text())
def test_a_quoted_value_may_hold_anything(value: str) -> None:
    quoted = '"' + "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char for char in value) + '"'
    assert parse(f"text={quoted} delay=1") == Directive(text=value, delay=1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("fault", "expected key=value at position 0"),
        ("delay=1 oops", "expected key=value at position 8"),
        ("delay=", "expected key=value"),
        ('text="open', "expected key=value"),
        ('text="\\q"', "not a JSON string"),
        ("speed=1", "unknown field"),
        ("delay=1 delay=2", "delay is given twice"),
        ("delay=soon", "float"),
        ("delay=-1", ">= 0"),
        ("delay=nan", ">= 0"),
        ("delay=1e9", "<= 3600"),
        ("chunks=2000000", "<= 1000000"),
        ("after=1.5", "int"),
    ],
)
def test_a_line_that_cannot_be_followed_is_refused(line: str, reason: str) -> None:
    with pytest.raises(DirectiveError, match=re.escape(reason)):
        parse(line)


def test_the_table_in_the_docstring_names_every_key() -> None:
    documented = set(re.findall(r"^    ([a-z-]+)  +\S", directive.__doc__ or "", re.MULTILINE))
    assert documented == {name.replace("_", "-") for name in Directive.__struct_fields__}
