"""What a vLLM server is sent, and an OpenAI one beside it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.exchange.evidence import Evidence
from gateway.upstream.contract import Call
from gateway.upstream.openai import bound, encode_openai
from gateway.upstream.vllm import encode_vllm
from gateway.wire.chat import read_chat_request

Encode = Callable[[Call], bytes]
BASE: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "Hi", "name": "n"}]}
VENDOR: dict[str, Any] = {
    "metadata": {"a": "b"},
    "store": True,
    "user": "u",
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "service_tier": "auto",
    "web_search_options": {},
}
BOTH: list[Encode] = [encode_openai, encode_vllm]


def sent(encode: Encode, **fields: Any) -> dict[str, Any]:
    request = read_chat_request(msgspec.json.encode(BASE | fields))
    call = Call("id", model="real", request=request, evidence=Evidence(), max_tokens=64, cache_salt="5a17", deadline=0.0)
    decoded: dict[str, Any] = msgspec.json.decode(encode(call))
    return decoded


@pytest.mark.parametrize("encode", BOTH)
def test_the_model_and_the_limit_are_ours_the_rest_the_caller_s(encode: Encode) -> None:
    body = sent(
        encode, temperature=0.5, tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    )
    assert body.pop("cache_salt", None) == ("5a17" if encode is encode_vllm else None)
    assert body == {
        **BASE,
        "model": "real",
        "max_completion_tokens": 64,
        "temperature": 0.5,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    }


@pytest.mark.parametrize("encode", BOTH)
@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"max_tokens": 9}, "max_tokens"),
        ({"max_tokens": 9, "max_completion_tokens": 9}, "max_completion_tokens"),
        ({}, "max_completion_tokens"),
    ],
)
def test_one_field_carries_the_limit(encode: Encode, given: dict[str, int], name: str) -> None:
    body = sent(encode, **given)
    assert {key: body[key] for key in body if key.startswith("max")} == {name: 64}


@pytest.mark.parametrize("encode", BOTH)
def test_usage_is_always_asked_for_on_streams_and_never_elsewhere(encode: Encode) -> None:
    assert sent(encode, stream=True)["stream_options"] == {"include_usage": True}
    assert sent(encode, stream=True, stream_options={"include_usage": False, "continuous_usage_stats": True})[
        "stream_options"
    ] == {
        "include_usage": True,
        "continuous_usage_stats": True,
    }
    assert "stream_options" not in sent(encode)


def test_vllm_is_not_sent_what_only_openai_knows() -> None:
    assert not set(VENDOR) & set(sent(encode_vllm, **VENDOR))


def test_openai_is_sent_it_with_the_cache_key_bound_to_the_tenant() -> None:
    body = sent(encode_openai, **VENDOR)
    assert {name: body[name] for name in VENDOR} == VENDOR | {"prompt_cache_key": bound("5a17", "k")}


def test_template_switches_go_to_vllm_only() -> None:
    switches = {"chat_template_kwargs": {"enable_thinking": False}}
    assert sent(encode_vllm, **switches)["chat_template_kwargs"] == {"enable_thinking": False}
    assert "chat_template_kwargs" not in sent(encode_openai, **switches)
