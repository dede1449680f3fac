"""Every text of a message is a piece, whatever part of it holds it; what is no text is worth a fixed number."""

from typing import Any

import msgspec
import pytest

from gateway.tokens.pieces import MEDIA_TOKENS, growth, pieces_of
from gateway.wire.message import Message, UserMessage
from tests.tokens.samples import CALL, TOOL, messages, said, tools

TOKEN = "zebra"
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
WHERE_A_TEXT_CAN_STAND: list[dict[str, Any]] = [
    said("system", TOKEN),
    said("developer", TOKEN),
    said("user", TOKEN),
    said("user", "", name=TOKEN),
    said("user", [{"type": "text", "text": TOKEN}]),
    said("user", [PIXEL, {"type": "text", "text": TOKEN}]),
    said("system", [{"type": "text", "text": TOKEN}]),
    said("assistant", TOKEN),
    said("assistant", None, refusal=TOKEN),
    said("assistant", [{"type": "refusal", "refusal": TOKEN}]),
    said("assistant", None, reasoning=TOKEN),
    said("assistant", None, reasoning_content=TOKEN),
    said("assistant", None, tool_calls=[{**CALL, "id": TOKEN}]),
    said("assistant", None, tool_calls=[{**CALL, "function": {"name": TOKEN, "arguments": "{}"}}]),
    said("assistant", None, tool_calls=[{**CALL, "function": {"name": "f", "arguments": f'"{TOKEN}"'}}]),
    said("assistant", None, tool_calls=[{"id": "1", "type": "custom", "custom": {"name": TOKEN, "input": ""}}]),
    said("assistant", None, tool_calls=[{"id": "1", "type": "custom", "custom": {"name": "f", "input": TOKEN}}]),
    said("assistant", None, function_call={"name": TOKEN, "arguments": "{}"}),
    said("assistant", None, function_call={"name": "f", "arguments": f'"{TOKEN}"'}),
    said("tool", TOKEN, tool_call_id="c1"),
    said("tool", "", tool_call_id=TOKEN),
    said("function", TOKEN, name="f"),
    said("function", None, name=TOKEN),
]


def read(message: dict[str, Any]) -> list[Message]:
    """Return the message alone: what a whole request must have beside it is not asked for here."""
    return [msgspec.json.decode(msgspec.json.encode(message), type=Message)]


@pytest.mark.parametrize("message", WHERE_A_TEXT_CAN_STAND, ids=lambda message: str(message)[:60])
def test_no_text_is_forgotten(message: dict[str, Any]) -> None:
    pieces = pieces_of(read(message))
    assert any(TOKEN in text for text in [*pieces.texts, *pieces.json])


def test_messages_of_one_text_each_are_plain() -> None:
    pieces = pieces_of(messages(said("system", "a"), said("user", "b", name="c"), said("assistant", "d")))
    assert (pieces.plain, pieces.messages, pieces.names, pieces.texts) == (True, 3, 1, ["a", "b", "c", "d"])


@pytest.mark.parametrize("message", [message for message in WHERE_A_TEXT_CAN_STAND if not isinstance(message["content"], str)])
def test_what_a_template_may_write_in_its_own_way_is_not_plain(message: dict[str, Any]) -> None:
    assert not pieces_of(read(message)).plain


def test_a_tool_s_answer_and_a_developer_s_message_are_not_plain() -> None:
    assert not pieces_of(read(said("tool", "", tool_call_id="c1"))).plain
    assert not pieces_of(read(said("developer", "x"))).plain


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        (PIXEL, MEDIA_TOKENS),
        ({"type": "input_audio", "input_audio": {"data": "A" * 400, "format": "wav"}}, 400),
        ({"type": "file", "file": {"file_data": "A" * 300}}, 300),
        ({"type": "file", "file": {"file_id": "f"}}, MEDIA_TOKENS),
    ],
)
def test_what_is_no_text_is_worth_an_allowance(part: dict[str, Any], tokens: int) -> None:
    pieces = pieces_of(read(said("user", [part])))
    assert (pieces.media, pieces.texts, pieces.plain) == (tokens, [], False)


def test_an_earlier_spoken_answer_is_worth_an_allowance() -> None:
    pieces = pieces_of(read(said("assistant", None, audio={"id": "a1"})))
    assert (pieces.media, pieces.plain) == (MEDIA_TOKENS, False)


def test_calls_and_their_answers_are_counted() -> None:
    pieces = pieces_of(
        messages(said("user", "x"), said("assistant", None, tool_calls=[CALL]), said("tool", "y", tool_call_id="c1"))
    )
    assert pieces.calls == 2


def test_tools_are_taken_twice() -> None:
    pieces = pieces_of([UserMessage(content="x")], tools(TOOL))
    assert pieces.tools == 1
    assert [msgspec.json.decode(text) for text in pieces.json] == [TOOL, TOOL]


def test_rewritten_json_is_never_longer_than_said() -> None:
    # How Python writes anew what it has read, as a chat template in Python does.
    for text, anew in [('{"a":1e15,"b":[1,2]}', '{"a": 1000000000000000.0, "b": [1, 2]}'), ("[1E15]", "[1000000000000000.0]")]:
        assert len(anew) <= len(text) + growth(text)
