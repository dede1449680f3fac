"""Tokens joined are the text again, and what is counted is what is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.fake import text


@given(st.text())
def test_tokens_joined_are_the_text_again(sample: str) -> None:
    assert "".join(text.tokens(sample)) == sample


@given(st.text(), st.integers(0, 20))
def test_taking_gives_the_first_tokens_and_says_whether_there_were_more(sample: str, limit: int) -> None:
    kept, longer = text.take(sample, limit)
    every = list(text.tokens(sample))
    assert list(kept) == every[:limit]
    assert longer == (len(every) > limit)


def test_words_are_tokens_and_long_words_are_several() -> None:
    assert list(text.tokens("echo: hello  there")) == ["echo:", " hello", "  there"]
    assert list(text.tokens("someone@example.com ")) == ["someone@", "example.", "com", " "]


def test_numbered_words_are_one_token_each() -> None:
    assert list(text.tokens(text.numbered(12)))[-1] == " w12"
    assert len(list(text.tokens(text.numbered(100_000)))) == 100_000
    assert text.numbered(0) == ""


def test_a_text_ends_before_the_first_of_its_stop_strings() -> None:
    assert text.cut_at("one two three", ["three", "two"]) == ("one ", "two")
    assert text.cut_at("one two", ["four", ""]) == ("one two", None)


def test_the_text_of_a_message_is_its_content_in_any_of_its_forms() -> None:
    assert text.text_of({"content": "a"}) == "a"
    assert text.text_of({"content": [{"type": "text", "text": "a"}, {"type": "image_url"}, "?", {"text": "b"}]}) == "a\nb"
    assert text.text_of({"content": None}) == text.text_of({}) == text.text_of({"content": 3}) == ""


def test_a_prompt_is_worth_four_a_message_and_one_for_every_four_bytes() -> None:
    assert text.prompt_tokens([{"content": ""}]) == 4
    assert text.prompt_tokens([{"content": "abcd"}, {"content": "abcde"}]) == 4 + 1 + 4 + 2
    assert text.prompt_tokens([{"content": "éé"}], b"12345") == 4 + 1 + 2
