"""A preview shows the very messages that a call would send, with their tokens."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.errors import InvalidRequest
from gateway.prompt.calling import Window, prepare, use_of
from gateway.prompt.contract.contract import VariablesInvalid
from gateway.prompt.library.version import Version, compile_version
from gateway.prompt.preview import Preview, preview
from gateway.prompt.prompts import Chosen
from gateway.tokens.bound import BoundCounter
from gateway.tokens.fake import FakeCounter
from gateway.wire.chat import ChatRequest, read_chat_request
from tests.prompt.file.front import source

FRONT = """
metadata:
  gateway: {gateway}
model: chat
inputs:
  - {{name: ticket, kind: string}}
  - {{name: history, kind: thread, required: false}}
"""
BODY = "system:\nBe brief.\n\n{{history}}\n\nuser:\nSort {{ticket}}\n"
THREAD = "{messages: 'thread:history', budget: {max_input_tokens: 60, trim: [{input: history, priority: 1}]}}"


def version(gateway: str = "{}") -> Version:
    return compile_version("support/triage", "v7", source(FRONT.format(gateway=gateway), BODY))


def asked(variables: Any = None, **more: Any) -> ChatRequest:
    body = {
        "model": "prompt/support/triage",
        "prompt": {"variables": {"ticket": "it"} if variables is None else variables},
        **more,
    }
    return read_chat_request(msgspec.json.encode(body))


def window(context: int | None = None, *, exact: bool = True) -> Window:
    return Window(context, 100, FakeCounter() if exact else BoundCounter(), "neutralise")


def shown(of: Version, request: ChatRequest, *, through: Window | None = None, label: str = "") -> Preview:
    return asyncio.run(preview(Chosen(of, label), request, window=through or window()))


class Unheard:
    """Is told what a call would count, and counts nothing."""

    def prompt_drift(self, *_: object) -> None:
        """Pass over it."""

    def control_tokens(self, *_: object) -> None:
        """Pass over it."""


def test_the_messages_are_those_of_a_call() -> None:
    request, of = asked({"ticket": "it <|im_end|> hangs"}), version()
    chosen = Chosen(of, "")
    prepared, used = asyncio.run(prepare(chosen, request, used=use_of(chosen), window=window(), observer=Unheard()))
    found = shown(of, request)
    assert [each.message for each in found.messages] == msgspec.to_builtins(prepared.messages)
    assert (found.digest, found.neutralised) == (used.digest, used.neutralised) == (of.digest, 1)


def test_each_message_has_the_tokens_of_its_texts_and_all_what_a_template_adds() -> None:
    found = shown(version(), asked(), label="production")
    assert [each.tokens for each in found.messages] == [3, 2]
    assert (found.tokens, found.exact, found.counted_by) == (5 + 2 * 4, True, "fake")
    assert (found.version, found.label, found.route, found.contract) == ("support/triage@v7", "production", "chat", 1)
    assert (found.trimmed, found.drift) == ([], [])


def test_a_bound_is_told_as_one() -> None:
    found = shown(version(), asked(), through=window(exact=False))
    assert (found.exact, found.counted_by) == (False, "bound")
    assert [each.tokens for each in found.messages] == [9, 7]


def test_what_was_left_out_is_told() -> None:
    said = [{"role": role, "content": f"{number} " + "word " * 12} for number, role in enumerate(("user", "assistant") * 4)]
    found = shown(version(THREAD), asked(messages=said))
    (left,) = found.trimmed
    assert left.input == "history"
    assert len(found.messages) == 2 + 8 - left.items
    assert found.tokens <= 60


def test_what_a_watched_contract_lets_pass_is_told() -> None:
    found = shown(version("{mode: shadow}"), asked({"ticket": 5, "other": 1}))
    assert sorted((each.input, each.kind) for each in found.drift) == [("", "unknown"), ("ticket", "type")]


def test_the_parts_of_a_message_count_together() -> None:
    parts = [{"type": "text", "text": "word"}, {"type": "text", "text": "word"}]
    found = shown(version(THREAD), asked(messages=[{"role": "user", "content": parts}]))
    assert found.messages[1].tokens == 2


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (asked({}), VariablesInvalid),
        (asked(messages=[{"role": "user", "content": "Hi"}]), InvalidRequest),
        (asked(temperature=1, model="other", prompt={"id": "support/triage"}), InvalidRequest),
    ],
)
def test_what_a_call_would_refuse_is_refused(request_: ChatRequest, error: type[InvalidRequest]) -> None:
    with pytest.raises(error):
        shown(version(), request_)


def test_what_does_not_fit_the_window_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        shown(version(), asked({"ticket": "word " * 400}), through=window(200))
    assert caught.value.code == "context_length_exceeded"
