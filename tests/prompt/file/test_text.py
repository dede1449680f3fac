from __future__ import annotations

import pytest

from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.file.text import read_text


def _problem(data: bytes) -> str:
    with pytest.raises(PromptInvalid) as caught:
        read_text("f", data)
    return str(caught.value)


def test_a_bom_and_other_ends_of_lines_change_nothing() -> None:
    assert read_text("f", b"\xef\xbb\xbfa\r\nb\rc\n") == "a\nb\nc\n"
    assert read_text("f", "größer\u2028\ttab 😀\x85".encode()) == "größer\u2028\ttab 😀\x85"
    assert read_text("f", b"") == ""


def test_what_is_not_utf_8_is_told_with_its_line() -> None:
    assert _problem(b"\xef\xbb\xbfone\r\ntwo\r\nthr\xe9e") == "f:3: is not UTF-8"
    assert _problem(b"\xff") == "f:1: is not UTF-8"
    assert _problem(b"a\n\xed\xa0\x80") == "f:2: is not UTF-8"  # a surrogate
    assert _problem("a".encode("utf-16")) == "f:1: is not UTF-8"


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x0b", "\x0c", "\x1b", "\x7f", "\x80", "\x9f", "\uffff"])
def test_control_characters_are_told_with_their_line(character: str) -> None:
    assert _problem(f"one\n\ntwo{character}".encode()) == f"f:3: holds the control character U+{ord(character):04X}"


def test_a_file_that_is_too_large_is_not_read() -> None:
    assert len(read_text("f", b"x" * LIMITS.file_bytes)) == LIMITS.file_bytes
    assert _problem(b"x" * (LIMITS.file_bytes + 1)) == "f: is larger than 1048576 bytes"
