"""Bodies are shaped as those of a real vLLM 0.33, whose answers were captured on the wire; streams add up to whole answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.upstream.fake.asking import TIME, WEATHER, ask, asked

USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}

VLLM_WHOLE = """{"id":"chatcmpl-a27e04732d127fb8","object":"chat.completion","created":1795519037,"model":"tiny","choices":[
{"index":0,"message":{"role":"assistant","content":" ida","refusal":null,"annotations":null,"audio":null,"function_call":null,
"reasoning":null},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null,"routed_experts":null,
"weight_versions":null}],"service_tier":null,"system_fingerprint":"vllm-0.33.0-ffb438e6","usage":{"prompt_tokens":15,
"total_tokens":21,"completion_tokens":6,"prompt_tokens_details":null,"completion_tokens_details":null},"prompt_logprobs":null,
"prompt_token_ids":null,"prompt_text":null,"kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}"""

VLLM_ROLE = """{"id":"chatcmpl-abc-1","object":"chat.completion.chunk","created":1795519037,"model":"tiny","choices":[{
"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null}"""

VLLM_CONTENT = """{"id":"chatcmpl-abc-1","object":"chat.completion.chunk","created":1795519037,"model":"tiny","choices":[{
"index":0,"delta":{"content":" id"},"logprobs":null,"finish_reason":null,"token_ids":null}],"kv_transfer_params":null}"""

VLLM_LAST = """{"id":"chatcmpl-abc-1","object":"chat.completion.chunk","created":1795519037,"model":"tiny","choices":[{
"index":0,"delta":{"content":"s"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null,"weight_versions":null}],
"kv_transfer_params":null}"""

VLLM_USAGE = """{"id":"chatcmpl-abc-1","object":"chat.completion.chunk","created":1795519037,"model":"tiny","choices":[],"usage":{
"prompt_tokens":15,"total_tokens":19,"completion_tokens":4},"system_fingerprint":"vllm-0.33.0-ffb438e6"}"""

VLLM_TOOL = """{"id":"chatcmpl-88c7","object":"chat.completion.chunk","created":1795519094,"model":"tiny","choices":[{
"index":0,"delta":{"content":null,"tool_calls":[{"id":"chatcmpl-tool-b1f33d019eeffc7c","type":"function","index":0,"function":{
"name":"get_weather"}}]},"logprobs":null,"finish_reason":null,"token_ids":null}],"kv_transfer_params":null}"""

VLLM_ARGUMENTS = """{"id":"chatcmpl-88c7","object":"chat.completion.chunk","created":1795519094,"model":"tiny","choices":[{
"index":0,"delta":{"content":null,"tool_calls":[{"index":0,"function":{"arguments":"ci"}}]},"logprobs":null,"finish_reason":null,
"token_ids":null}],"kv_transfer_params":null}"""

VLLM_TOOL_END = """{"id":"chatcmpl-88c7","object":"chat.completion.chunk","created":1795519094,"model":"tiny","choices":[{
"index":0,"delta":{},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null,"weight_versions":null}],
"kv_transfer_params":null}"""

VLLM_LOGPROBS = """{"content":[{"token":" id","logprob":-2.776249647140503,"bytes":[32,105,100],"top_logprobs":[{"token":" id",
"logprob":-2.776249647140503,"bytes":[32,105,100]},{"token":"34","logprob":-2.988313913345337,"bytes":[51,52]}]}]}"""


def shape(value: Any) -> Any:
    """Return names and kinds without the values: what a client's code can depend on."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value).__name__


def shape_of(captured: str) -> Any:
    return shape(msgspec.json.decode(captured))


def test_a_whole_answer_is_shaped_as_vllms() -> None:
    assert shape(ask().json) == shape_of(VLLM_WHOLE)


def test_a_stream_is_shaped_as_vllms() -> None:
    role, *middle, last, usage = ask(stream=True, **USAGE).chunks
    assert shape(role) == shape_of(VLLM_ROLE)
    assert [shape(chunk) for chunk in middle] == [shape_of(VLLM_CONTENT)] * 2
    assert shape(last) == shape_of(VLLM_LAST)
    assert shape(usage) == shape_of(VLLM_USAGE)


def test_a_streamed_tool_call_is_shaped_as_vllms() -> None:
    role, name, *arguments, end = ask(stream=True, tools=[WEATHER], tool_choice="required").chunks
    assert shape(role) == shape_of(VLLM_ROLE)
    assert shape(name) == shape_of(VLLM_TOOL)
    assert {str(shape(chunk)) for chunk in arguments} == {str(shape_of(VLLM_ARGUMENTS))}
    assert shape(end) == shape_of(VLLM_TOOL_END)


def test_logprobs_are_shaped_as_vllms() -> None:
    whole = ask(logprobs=True, top_logprobs=2).json["choices"][0]["logprobs"]
    assert shape(whole) == shape_of(VLLM_LOGPROBS)
    assert [entry["token"] for entry in whole["content"]] == ["echo:", " hello", " there"]
    assert bytes(whole["content"][0]["bytes"]) == b"echo:"
    streamed = [chunk["choices"][0]["logprobs"] for chunk in ask(stream=True, logprobs=True).chunks]
    assert streamed[0] is None
    assert [entry["content"][0]["top_logprobs"] for entry in streamed[1:]] == [[], [], []]


def test_control_a_missing_or_added_field_is_seen() -> None:
    body = ask().json
    del body["choices"][0]["stop_reason"]
    assert shape(body) != shape_of(VLLM_WHOLE)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("hello there", {}),
        ("hi", {"n": 3}),
        ('#fake reasoning="let me see" text="it is so"', {}),
        ('#fake refusal="I will not"', {}),
        ("call get_weather, call get_time", {"tools": [WEATHER, TIME]}),
        ("#fake text=", {}),
        ("#fake chunks=40", {"max_tokens": 7}),
    ],
)
def test_a_stream_adds_up_to_the_whole_answer(content: str, fields: dict[str, Any]) -> None:
    content = content.replace("text=", 'text=""') if content.endswith("text=") else content
    whole = ask(content, **fields).json
    chunks = ask(content, stream=True, **USAGE, **fields).chunks
    for choice in whole["choices"]:
        mine = [chunk["choices"][0] for chunk in chunks if chunk["choices"] and chunk["choices"][0]["index"] == choice["index"]]
        for field in ("content", "reasoning", "refusal"):
            assert "".join(one["delta"].get(field) or "" for one in mine) == (choice["message"][field] or "")
        assert calls_of(mine) == [
            (call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in choice["message"].get("tool_calls", [])
        ]
        assert [one["finish_reason"] for one in mine if one["finish_reason"]] == [choice["finish_reason"]]
        assert mine[-1]["finish_reason"]
    counts = {name: count for name, count in whole["usage"].items() if count is not None}
    assert chunks[-1]["usage"] == counts
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"]


def calls_of(choices: list[Any]) -> list[tuple[str, str, str]]:
    calls: list[list[str]] = []
    for choice in choices:
        for part in choice["delta"].get("tool_calls", []):
            if "id" in part:
                calls.append([part["id"], part["function"]["name"], ""])
            else:
                calls[part["index"]][2] += part["function"]["arguments"]
    return [(ident, name, arguments) for ident, name, arguments in calls]


def test_usage_is_told_in_a_stream_only_where_it_is_asked_for() -> None:
    assert all("usage" not in chunk for chunk in ask(stream=True).chunks)
    assert all("usage" not in chunk for chunk in ask(stream=True, stream_options={"include_usage": False}).chunks)
    running = ask(stream=True, stream_options={"continuous_usage_stats": True}).chunks
    assert [chunk["usage"]["completion_tokens"] for chunk in running] == [0, 1, 2, 3]


def test_choices_of_a_stream_take_turns() -> None:
    chunks = ask("one two three", n=2, stream=True).chunks
    assert [chunk["choices"][0]["index"] for chunk in chunks] == [0, 1] + [0, 1] * 4 + [1]


def test_details_of_usage_are_told() -> None:
    usage = ask('#fake cached=3 reasoning="a b"\nhello').json["usage"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 3}
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 2}
    assert ask("#fake cached=999").json["usage"]["prompt_tokens_details"]["cached_tokens"] == 8


def test_a_stream_ends_with_done_and_created_comes_from_the_clock() -> None:
    reply = ask(stream=True)
    assert reply.reads[-1] == b"data: [DONE]\n\n"
    assert {chunk["created"] for chunk in reply.chunks} == {1_700_000_000}


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_are_counted_as_the_usage_says(stream: bool) -> None:  # a case, not an option
    reply, served = asked("one two three", n=2, stream=stream, **(USAGE if stream else {}))
    usage = reply.chunks[-1]["usage"] if stream else reply.json["usage"]
    assert (served.prompt_tokens, served.completion_tokens) == (usage["prompt_tokens"], usage["completion_tokens"]) == (8, 9)
