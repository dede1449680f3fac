"""Bodies as people read them: nothing fails, nothing reaches the terminal that it would obey."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.search.prose import answer, body, printable, prompt

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "choices", "message", "delta", "content", "role", "index", "tool_calls", "function", "text"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


@given(st.binary(max_size=60) | JSON.map(encoded) | JSON.map(lambda each: b"data: " + encoded(each) + b"\n\n"))
def test_no_body_makes_it_fail_or_shows_a_sign_that_a_terminal_obeys(data: bytes) -> None:
    texts = [body(data), *(part for message in (*prompt(data), *answer(data)) for part in message)]
    assert all(each.isprintable() or each == "\n" for text in texts for each in text)


def test_signs_that_a_terminal_obeys_or_that_hide_are_shown_as_their_code() -> None:
    assert printable("a\x1b[2J\u202eb\u200b\x00\rc") == "a\\u001b[2J\\u202eb\\u200b\\u0000\\u000dc"
    assert printable("one\r\ntwo\n\tthree ä 你 🙂") == "one\ntwo\n    three ä 你 🙂"


def test_a_prompt_is_its_messages() -> None:
    content = [{"type": "text", "text": "What is "}, {"type": "image_url", "image_url": {"url": "data:…"}}]
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    assert prompt(encoded({"model": "chat", "messages": messages})) == [("system", "Be brief."), ("user", "What is [image_url]")]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"messages": 7}', b'"text"', b"\xff"])
def test_what_is_no_prompt_has_no_messages(data: bytes) -> None:
    assert prompt(data) == []


def test_an_answer_is_a_message_of_each_choice() -> None:
    call = {"function": {"name": "height", "arguments": '{"of":"tower"}'}}
    choices = [
        {"index": 1, "message": {"role": "assistant", "content": "828 m"}},
        {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call, {"function": 7}, 7]}},
    ]
    assert answer(encoded({"choices": choices})) == [("assistant", 'height{"of":"tower"}'), ("assistant", "828 m")]


def test_a_stream_is_put_together() -> None:
    deltas = [{"role": "assistant", "content": ""}, {"content": "828"}, {"content": " m"}, {}]
    events = b"".join(b"data: " + encoded({"choices": [{"index": 0, "delta": delta}]}) + b"\n\n" for delta in deltas)
    assert answer(events + b'data: {"choices": [7], "usage": {}}\n\n: note\n\ndata: [DONE]\n\n') == [("assistant", "828 m")]


def test_a_body_is_laid_out_where_it_is_json_and_as_it_is_otherwise() -> None:
    assert body(b'{"a":[1]}') == '{\n  "a": [\n    1\n  ]\n}'
    assert body("größer {".encode()) == "größer {"
    assert body(b"\xff\xfe") == "\\xff\\xfe"
