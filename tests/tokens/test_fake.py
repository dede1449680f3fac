"""The fake's tokens are counted as the fake counts them."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.fake import FakeCounter
from gateway.upstream.fake import request
from gateway.wire.chat import read_chat_request, write_chat_request
from tests.tokens.samples import CALL, TOOL, said

PARTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "\u00e9"}]
REQUESTS: list[dict[str, Any]] = [
    {"messages": [said("user", "hello")]},
    {
        "messages": [
            said("system", "Be brief."),
            said("user", "Gr\u00fc\u00dfe"),
            said("assistant", "Ja.", refusal="no"),
            said("user", "?"),
        ]
    },
    {"messages": [said("user", PARTS), said("system", PARTS)]},
    {"messages": [said("user", [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}])]},
    {"messages": [said("user", "a"), said("assistant", None, tool_calls=[CALL]), said("tool", "b", tool_call_id="c1")]},
    {"messages": [said("user", "a")], "tools": [TOOL]},
    {"messages": [said("user", "a")], "tools": [{"type": "function", "function": {"name": "f"}}, TOOL]},
    {"messages": [said("user", "a")], "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1e15}}}]},
]


def both(body: dict[str, Any]) -> tuple[int, int]:
    """Return our count and the fake's own, of what it is really sent."""
    asked = read_chat_request(msgspec.json.encode({"model": "m", **body}))
    given_tools = asked.tools if isinstance(asked.tools, list) else []
    ours = asyncio.run(FakeCounter().messages(asked.messages, tools=given_tools))
    assert ours.exact
    return ours, request.prompt_tokens(request.read(write_chat_request(asked)))


@pytest.mark.parametrize("body", REQUESTS)
def test_the_count_is_the_fake_s_own(body: dict[str, Any]) -> None:
    ours, theirs = both(body)
    assert ours == theirs


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), min_size=1, max_size=5))
def test_the_count_is_the_fake_s_own_for_every_text(said_so: list[tuple[str, str]]) -> None:
    ours, theirs = both({"messages": [said(role, text) for role, text in said_so]})
    assert ours == theirs


def test_a_text_alone_has_a_token_for_every_four_bytes() -> None:
    assert asyncio.run(FakeCounter().texts(["", "a", "abcd", "abcde", "\u4e2d\u6587"])) == [0, 1, 1, 2, 2]


def test_a_tool_that_the_fake_does_not_read_costs_little() -> None:
    custom = {"type": "custom", "custom": {"name": "c"}}
    asked = read_chat_request(msgspec.json.encode({"model": "m", "messages": [said("user", "a")], "tools": [custom]}))
    assert isinstance(asked.tools, list)
    assert asyncio.run(FakeCounter().messages(asked.messages, tools=asked.tools)) == 4 + 1 + 1
