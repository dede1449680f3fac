"""Keys have one form, and nothing else passes for one."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.caller.key import ID, KEY_LENGTH, new_key, parse

SAMPLE = "gth_abcdefghijkl_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg0Gdghv"
ALPHABET = string.ascii_letters + string.digits + "_-"


def test_a_new_key_has_the_documented_form_and_is_read_back() -> None:
    key = new_key()
    assert re.fullmatch(r"gth_[a-z2-7]{12}_[0-9A-Za-z]{49}", key.text)
    assert len(key.text) == KEY_LENGTH
    assert parse(key.text) == key
    assert key.text[ID] == key.id


def test_the_form_never_changes() -> None:
    parts = parse(SAMPLE)
    assert parts is not None
    assert parts.id == "abcdefghijkl"


def test_keys_do_not_repeat() -> None:
    keys = [new_key() for _ in range(500)]
    assert len({key.id for key in keys}) == len({key.text[17:60] for key in keys}) == 500


def test_a_key_is_not_shown_by_accident() -> None:
    key = new_key()
    assert key.text[17:] not in repr(key)


def test_any_one_wrong_character_is_refused() -> None:
    passed = [
        (place, character)
        for place in range(len(SAMPLE))
        for character in ALPHABET
        if character != SAMPLE[place] and parse(SAMPLE[:place] + character + SAMPLE[place + 1 :]) is not None
    ]
    assert passed == []


def test_any_two_swapped_neighbours_are_refused() -> None:
    for place in range(len(SAMPLE) - 1):
        swapped = SAMPLE[:place] + SAMPLE[place + 1] + SAMPLE[place] + SAMPLE[place + 2 :]
        assert swapped == SAMPLE or parse(swapped) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gth_",
        SAMPLE[:-1],
        SAMPLE + "0",
        SAMPLE + "\n",
        " " + SAMPLE,
        SAMPLE.upper(),
        SAMPLE.replace("gth_", "sk-_"),
        SAMPLE.replace("0", "\u0660", 1),  # ARABIC-INDIC DIGIT ZERO
        SAMPLE[:17] + "\x00" * 43 + SAMPLE[60:],
        "\ud800" * KEY_LENGTH,
        "Bearer " + SAMPLE,
        "x" * 100_000,
    ],
)
def test_what_is_not_a_key_is_refused(text: str) -> None:
    assert parse(text) is None


@given(st.text(alphabet=string.ascii_letters + string.digits, min_size=49, max_size=49))
def test_a_guess_is_refused_by_its_checksum_alone(guess: str) -> None:
    assert parse("gth_abcdefghijkl_" + guess) is None
