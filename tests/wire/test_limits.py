"""Limits: each one holds at its figure, and a value at the figure passes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.wire.chat import read_chat_request
from gateway.wire.limits import LIMITS, ChatLimits
from tests.wire.hostile import encoded

CALL = {"type": "function", "id": "1", "function": {"name": "f", "arguments": ""}}
TEXT = {"type": "text", "text": ""}
SIZED: dict[str, Any] = {
    "model_chars": lambda size: {"model": "m" * size},
    "name_chars": lambda size: {"tools": [{"type": "function", "function": {"name": "f" * size}}]},
    "messages": lambda size: {"messages": [{"role": "user", "content": ""}] * size},
    "parts": lambda size: {"messages": [{"role": "user", "content": [TEXT] * size}]},
    "tools": lambda size: {"tools": [{"type": "function", "function": {"name": "f"}}] * size},
    "tool_calls": lambda size: {"messages": [{"role": "assistant", "tool_calls": [CALL] * size}]},
    "choices": lambda size: {"n": size},
    "stops": lambda size: {"stop": ["x"] * size},
    "stop_chars": lambda size: {"stop": "x" * size},
    "bad_words": lambda size: {"bad_words": ["x"] * size},
    "bad_word_chars": lambda size: {"bad_words": ["x" * size]},
    "token_ids": lambda size: {"stop_token_ids": [1] * size},
    "logit_biases": lambda size: {"logit_bias": {str(i): 1 for i in range(size)}},
    "metadata_pairs": lambda size: {"metadata": {str(i): "" for i in range(size)}},
    "metadata_key_chars": lambda size: {"metadata": {"k" * size: ""}},
    "metadata_value_chars": lambda size: {"metadata": {"k": "v" * size}},
    "identifier_chars": lambda size: {"user": "u" * size},
    "choice_strings": lambda size: {"structured_outputs": {"choice": ["x"] * size}},
    "regex_bytes": lambda size: {"structured_outputs": {"regex": "x" * size}},
}
ELSEWHERE = {  # held at their figure in test_constraint.py, test_chat.py and test_diagnosis.py
    "schema_bytes",
    "schema_depth",
    "structural_tag_depth",
    "free_form_depth",
    "free_form_bytes",
    "outlined_bytes",
    "options_bytes",
    "diagnosed_bytes",
    "diagnosed_values",
    "variables_bytes",  # test_prompt.py
    "variable_values",
}


@pytest.mark.parametrize("name", SIZED)
def test_a_limit_holds_at_its_figure(name: str) -> None:
    size = asdict(LIMITS)[name]
    read_chat_request(encoded(**SIZED[name](size)))
    with pytest.raises(InvalidRequest):
        read_chat_request(encoded(**SIZED[name](size + 1)))


def test_every_limit_is_tried() -> None:
    assert set(asdict(LIMITS)) == set(SIZED) | ELSEWHERE


def test_limits_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        LIMITS.messages = 1  # type: ignore[misc]
    assert ChatLimits() == LIMITS
