"""A request is refused as vLLM refuses it, with the field at fault; what the fake does not use it does not see."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.upstream.fake.request import DEFAULT_MAX_TOKENS, Refused, max_tokens, prompt_tokens, read
from tests.upstream.fake.asking import WEATHER, body_of


def refusal(body: bytes) -> dict[str, Any]:
    with pytest.raises(Refused) as caught:
        read(body)
    assert caught.value.answer.status == 400
    (raw,) = caught.value.answer.parts
    assert isinstance(raw, bytes)
    error: dict[str, Any] = msgspec.json.decode(raw)["error"]
    assert error["code"] == 400
    return error


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", "body"),
        (b"null", "body"),
        (b"[]", "body"),
        (b'{"model": ', "body"),
        (b'{"model": "\xff"}', "body"),
        (b"[" * 100_000, "body"),
        (b"{}", "model"),
        (b'{"model": "m"}', "messages"),
        (b'{"model": 3, "messages": []}', "model"),
        (body_of(max_tokens="x"), "max_tokens"),
        (body_of(max_tokens=0), "max_tokens"),
        (body_of(n=129), "n"),
        (body_of(stop=3), "stop"),
        (body_of(tools=[{"type": "function"}]), "tools.function"),
        (body_of(stream_options={"include_usage": "yes"}), "stream_options.include_usage"),
        (body_of(tool_choice="required"), "tool_choice"),
        (body_of([]), None),
    ],
)
def test_a_request_that_is_wrong_is_refused_with_its_field(body: bytes, param: str | None) -> None:
    assert refusal(body)["param"] == param


def test_unknown_fields_are_not_seen() -> None:
    assert read(body_of(guided_json={}, temperature="hot")).model == "m"


def test_the_last_user_message_is_found_behind_others() -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": "second"},
        {"role": "assistant", "content": "answer"},
    ]
    assert read(body_of(messages)).last_user == "second"
    assert read(body_of([{"role": "system", "content": "be kind"}])).last_user == ""


def test_stop_strings_are_one_or_many() -> None:
    assert read(body_of(stop="a")).stops == ["a"]
    assert read(body_of(stop=["a", "b"])).stops == ["a", "b"]
    assert read(body_of()).stops == []


def test_tools_count_as_part_of_the_prompt() -> None:
    assert prompt_tokens(read(body_of(tools=[WEATHER]))) > prompt_tokens(read(body_of())) == 7


def test_the_current_field_wins_over_the_old_one() -> None:
    asked = read(body_of(max_tokens=5, max_completion_tokens=7))
    assert max_tokens(asked, prompt=10, window=100) == 7


def test_without_a_limit_the_answer_fits_into_the_window() -> None:
    assert max_tokens(read(body_of()), prompt=10, window=100) == 90
    assert max_tokens(read(body_of()), prompt=10, window=100_000) == DEFAULT_MAX_TOKENS


@pytest.mark.parametrize(("prompt", "asked", "param"), [(100, None, "input_tokens"), (90, 11, "max_tokens")])
def test_what_does_not_fit_the_window_is_refused_as_vllm_refuses_it(prompt: int, asked: int | None, param: str) -> None:
    with pytest.raises(Refused) as caught:
        max_tokens(read(body_of(max_tokens=asked)), prompt=prompt, window=100)
    (raw,) = caught.value.answer.parts
    assert isinstance(raw, bytes)
    error = msgspec.json.decode(raw)["error"]
    assert (error["type"], error["param"]) == ("BadRequestError", param)
    assert error["message"].startswith("This model's maximum context length is 100 tokens" if asked is None else "max_tokens=11")
