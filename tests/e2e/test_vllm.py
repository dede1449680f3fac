"""The gateway before a real vLLM: the SDKs, and what vLLM 0.33 does that a gateway must know (vllm/README.md)."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.e2e.client import CHECKS_WITH_A_VLLM, run_node, run_python
from tests.e2e.door import Door
from tests.e2e.real_vllm import RealVllm
from tests.e2e.relay import Relay
from tests.e2e.sdk import Node
from tests.e2e.settings import MODEL
from tests.e2e.wire import read

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.xdist_group("vllm")]

CANCELLED_WITHIN = 1.0
"""Seconds from a client's leaving to the end of the generation."""

SECONDS_OF_LETTERS: dict[str, Any] = {"structured_outputs": {"regex": "[qz]{1900}"}, "max_tokens": 1900}
STREAMED_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])

OWNED_BY_THE_GATEWAY = {
    "priority": 0,
    "cache_salt": "mine",
    "request_id": "mine",
    "session_id": "mine",
    "chat_template": "{{ messages }}",
    "vllm_xargs": {"a": 1},
    "kv_transfer_params": {"a": 1},
    "truncate_prompt_tokens": 20,
    "ignore_eos": True,
    "min_tokens": 10,
    "prompt_logprobs": 1,
    "stream_interval": 5,
    "return_token_ids": True,
    "return_prompt_text": True,
    "add_generation_prompt": False,
    "echo": True,
    "guided_json": {"type": "object"},
    "guided_choice": ["yes", "no"],
    "guided_regex": "yes",
}


def test_the_python_sdk_2_works_as_with_openai(vllm_door: Door, vllm_server: RealVllm) -> None:
    run_python(Path(sys.executable), vllm_door, VLLM_URL=vllm_server.url).expect(CHECKS_WITH_A_VLLM)


def test_the_python_sdk_3_works_as_with_openai(python_sdk_3: Path, vllm_door: Door, vllm_server: RealVllm) -> None:
    run_python(python_sdk_3, vllm_door, VLLM_URL=vllm_server.url).expect(CHECKS_WITH_A_VLLM)


def test_the_node_sdk_works_as_with_openai(node_sdk: Node, vllm_door: Door, vllm_server: RealVllm, tmp_path: Path) -> None:
    run_node(node_sdk, vllm_door, tmp_path, VLLM_URL=vllm_server.url).expect(CHECKS_WITH_A_VLLM)


@STREAMED_OR_NOT
def test_a_wrong_key_of_ours_is_not_the_callers_fault(vllm_door: Door, vllm_server: RealVllm, stream: bool) -> None:
    if not vllm_server.key:
        pytest.skip("the server that VLLM_URL names takes requests without a key")
    answer = vllm_door.chat("wrong-key", "Hello.", stream=stream, max_tokens=4)
    assert answer.status in {502, 503}
    assert answer.code in {"upstream_error", "upstream_unavailable"}
    assert b"nauthorized" not in answer.body


def test_control_vllm_says_unauthorized_in_a_string(vllm_server: RealVllm) -> None:
    if not vllm_server.key:
        pytest.skip("the server that VLLM_URL names takes requests without a key")
    refused = vllm_server.post("/v1/chat/completions", {}, authorization="Bearer wrong")
    assert (refused.status, refused.json) == (401, {"error": "Unauthorized"})


@STREAMED_OR_NOT
def test_a_model_that_the_upstream_lost_is_an_error_before_any_event(vllm_door: Door, stream: bool) -> None:
    answer = vllm_door.chat("unknown-model", "Hello.", stream=stream, max_tokens=4)
    assert answer.status in {502, 503}
    assert answer.headers["content-type"] == "application/json"
    assert answer.code in {"upstream_error", "upstream_unavailable"}
    assert b"nobody-serves" not in answer.body


@STREAMED_OR_NOT
def test_a_prompt_that_is_too_long_is_the_callers_fault(vllm_door: Door, vllm_server: RealVllm, stream: bool) -> None:
    answer = vllm_door.chat(MODEL, "many words " * vllm_server.max_model_len, stream=stream, max_tokens=4)
    assert (answer.status, answer.code) == (400, "context_length_exceeded")
    assert answer.headers["content-type"] == "application/json"


@STREAMED_OR_NOT
def test_generation_stops_when_the_client_is_gone(vllm_door: Door, vllm_server: RealVllm, stream: bool) -> None:
    before = vllm_server.completed
    with closing(vllm_door.send(MODEL, "Hello.", stream=stream, **SECONDS_OF_LETTERS)):
        assert vllm_server.soon(lambda server: server.running > 0, within=10)
    assert vllm_server.soon(lambda server: server.running == 0, within=CANCELLED_WITHIN)
    assert vllm_server.completed == before


def test_a_vllm_that_falls_silent_in_mid_answer_fails_the_stream(vllm_door: Door, vllm_server: RealVllm) -> None:
    if vllm_server.process is None:
        pytest.skip("the server that VLLM_URL names is not ours to stop")
    sent = vllm_door.send(f"{MODEL}-impatient", "Hello.", stream=True, **SECONDS_OF_LETTERS)
    with closing(sent), sent.getresponse() as response:
        assert response.readline().startswith(b"data: ")
        with vllm_server.process.frozen():
            answer = read(response)
    assert "[DONE]" not in answer.events
    assert '"upstream_timeout"' in answer.events[-1]


def test_a_vllm_that_never_answers_is_a_timeout(vllm_door: Door, vllm_server: RealVllm) -> None:
    if vllm_server.process is None:
        pytest.skip("the server that VLLM_URL names is not ours to stop")
    with vllm_server.process.frozen():
        answer = vllm_door.chat(f"{MODEL}-impatient", "Hello.", max_tokens=2)
    assert (answer.status, answer.code) == (504, "upstream_timeout")


def test_a_tenant_never_reaches_another_tenants_prefix_cache(vllm_door: Door) -> None:
    other = vllm_door.as_tenant("globex")
    text = f"{time.time_ns()} " + "The same long beginning of a prompt. " * 20
    first, again, foreign = (_cached(door, text) for door in (vllm_door, vllm_door, other))
    assert (first, foreign) == (0, 0)
    assert again >= 128


def _cached(door: Door, text: str) -> int:
    answer = door.chat(MODEL, text, max_tokens=2).json
    details = answer["usage"]["prompt_tokens_details"]
    if details is None:
        pytest.skip("the server that VLLM_URL names runs without --enable-prompt-tokens-details")
    cached: int = details["cached_tokens"]
    return cached


@pytest.mark.parametrize("field", OWNED_BY_THE_GATEWAY)
def test_a_field_that_callers_must_not_set_never_reaches_vllm(vllm_door: Door, relay: Relay, field: str) -> None:
    relay.forget()
    answer = vllm_door.chat(MODEL, "Hello.", max_tokens=2, **{field: OWNED_BY_THE_GATEWAY[field]})
    assert (answer.status, answer.code) == (400, "unsupported_field")
    assert answer.json["error"]["param"] == field
    assert relay.sent == b""


def test_control_vllm_itself_obeys_a_field_that_callers_must_not_set(vllm_server: RealVllm) -> None:
    body = {"model": vllm_server.model, "messages": [{"role": "user", "content": "word " * 100}], "max_tokens": 2}
    cut = vllm_server.post("/v1/chat/completions", {**body, "truncate_prompt_tokens": 20})
    assert (cut.status, cut.json["usage"]["prompt_tokens"]) == (200, 20)


def test_the_clients_headers_never_reach_vllm(vllm_door: Door, relay: Relay) -> None:
    relay.forget()
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 2}
    named = ["x_request_id", "x_vllm_priority", "x_session_id", "x_data_parallel_rank", "traceparent", "cookie", "user_agent"]
    headers = dict.fromkeys(named, "7-of-the-client")
    connection = vllm_door.post("/v1/chat/completions", msgspec.json.encode(body), **headers)
    with closing(connection), connection.getresponse() as response:
        assert response.status == 200
        exchange = response.headers["x-request-id"]
    assert b"POST /v1/chat/completions" in relay.sent
    assert b"7-of-the-client" not in relay.sent
    assert vllm_door.key.encode() not in relay.sent
    assert f"x-request-id: {exchange}".encode() in relay.sent.lower()


def test_control_vllm_itself_takes_its_id_from_the_clients_header(vllm_server: RealVllm) -> None:
    body = {"model": vllm_server.model, "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 2}
    answer = vllm_server.post("/v1/chat/completions", body, x_request_id="7-of-the-client")
    assert answer.json["id"] == "chatcmpl-7-of-the-client"


def test_a_regex_makes_the_model_say_exactly_a_text_streamed(vllm_door: Door) -> None:
    said = {"structured_outputs": {"regex": r"My SSN is 078-05-1120\."}}
    events = vllm_door.chat(MODEL, "Hello.", stream=True, max_tokens=60, **said).events
    assert events[-1] == "[DONE]"
    chunks = [msgspec.json.decode(event) for event in events[:-1]]
    pieces = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    assert "".join(pieces) == "My SSN is 078-05-1120."
    assert len([piece for piece in pieces if piece]) > 5


def test_a_streams_usage_is_what_vllm_counts(vllm_door: Door, vllm_server: RealVllm) -> None:
    text = "How many tokens is this, and how many are the answer's?"
    events = vllm_door.chat(MODEL, text, stream=True, max_tokens=24, stream_options={"include_usage": True}, seed=1).events
    chunks = [msgspec.json.decode(event) for event in events[:-1]]
    usage = chunks[-1]["usage"]
    messages = [{"role": "user", "content": text}]
    counted = vllm_server.post("/tokenize", {"model": vllm_server.model, "messages": messages}).json["count"]
    assert usage["prompt_tokens"] == counted
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    finished = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert finished == ["length"] if usage["completion_tokens"] == 24 else ["stop"]


def test_several_choices_are_streamed_side_by_side(vllm_door: Door) -> None:
    events = vllm_door.chat(MODEL, "Hello.", stream=True, max_tokens=8, n=3).events
    assert events[-1] == "[DONE]"
    choices = [choice for event in events[:-1] for choice in msgspec.json.decode(event)["choices"]]
    assert {choice["index"] for choice in choices if choice["finish_reason"]} == {0, 1, 2}


def test_a_schema_that_vllm_cannot_follow_is_the_callers_fault(vllm_door: Door) -> None:
    answer = vllm_door.chat(MODEL, "Hello.", max_tokens=8, structured_outputs={"regex": "(unbalanced"})
    assert answer.status == 400
    assert answer.json["error"]["type"] == "invalid_request_error"
