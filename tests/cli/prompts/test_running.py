"""A case is asked once, as a caller would ask, and its answer is judged; what is no answer says why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.cli.prompts.running import Judged, Ran, Target, run_case
from gateway.cli.prompts.sending import Json, Reply
from gateway.prompt.case.cases import Case, read_cases
from gateway.wire.chat import read_chat_request

TARGET = Target("support/triage", "v2")
ANSWER: dict[str, Any] = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": '{"label": "billing"}'}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47},
}


class Gateway:
    """Answers every case alike, and keeps what it was asked."""

    def __init__(self, status: int, body: bytes) -> None:
        self.reply = Reply(status, body)
        self.asked: list[Json] = []

    async def post(self, body: Json) -> Reply:
        self.asked.append(body)
        return self.reply


def case_of(*expect: str, variables: str = "{ticket: Help}", messages: str = "") -> Case:
    said = "".join(f"  - {each}\n" for each in expect)
    text = f"- name: a case\n  variables: {variables}\n{messages}  expect:\n{said}"
    cases, problems = read_cases("a/b/cases.yaml", text.encode())
    assert problems == ()
    return cases[0]


def ran(case: Case, answer: Any = ANSWER, *, status: int = 200, seconds: float = 0.25) -> Ran:
    times: Iterator[float] = iter([100.0, 100.0 + seconds])
    gateway = Gateway(status, answer if isinstance(answer, bytes) else msgspec.json.encode(answer))
    return asyncio.run(run_case(case, TARGET, gateway, clock=lambda: next(times)))


def test_an_answer_is_judged_by_its_text_tokens_and_time() -> None:
    found = ran(case_of("contains: billing", "is-json: true", "max-tokens: 7", "latency: 250ms"))
    assert (found.case, found.error, found.ok) == ("a case", "", True)
    assert [each.wrong for each in found.judged] == ["", "", "", ""]
    assert (found.input_tokens, found.output_tokens, found.milliseconds) == (40, 7, 250.0)


def test_what_does_not_hold_is_told_beside_what_does() -> None:
    found = ran(case_of("contains: billing", "contains: outage", "max-tokens: 6", "latency: 100ms"))
    assert not found.ok
    assert found.judged == (
        Judged('contains "billing"', ""),
        Judged('contains "outage"', "it is not there"),
        Judged("max-tokens 6", "it has 7"),
        Judged("latency 100ms", "it took 0.25s"),
    )


def test_an_answer_without_text_or_usage_is_an_empty_one_of_unknown_length() -> None:
    answer = {"choices": [{"index": 0, "message": {"content": None}, "finish_reason": "tool_calls"}]}
    found = ran(case_of("not-contains: billing", "max-tokens: 6"), answer)
    assert [each.wrong for each in found.judged] == ["", "nobody counted the answer's tokens"]
    assert (found.input_tokens, found.output_tokens) == (None, None)


REFUSAL = {"error": {"message": "It does not fit.", "type": "t", "param": "/prompt/variables/ticket", "code": "c"}}


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (400, REFUSAL, "400 c: It does not fit. (/prompt/variables/ticket)"),
        (404, {"error": {**REFUSAL["error"], "param": None}}, "404 c: It does not fit."),
        (502, b"<html>Bad gateway</html>", "status 502"),
        (500, {"error": "no"}, "status 500"),
        (500, b"", "status 500"),
        (200, b"hello", "not JSON"),
        (200, {"choices": []}, "a completion without choices"),
    ],
)
def test_what_is_no_answer_says_why_and_nothing_is_judged(status: int, answer: Any, error: str) -> None:
    found = ran(case_of("contains: billing"), answer, status=status)
    assert (found.ok, found.error, found.judged, found.output_tokens) == (False, error, (), None)
    assert found.milliseconds == 250.0


def asked(target: Target, case: Case) -> Json:
    gateway = Gateway(200, msgspec.json.encode(ANSWER))
    asyncio.run(run_case(case, target, gateway))
    (body,) = gateway.asked
    read_chat_request(msgspec.json.encode(body))  # it is one that the gateway reads
    return body


def test_the_version_is_pinned() -> None:
    assert asked(TARGET, case_of("contains: b")) == {
        "model": "prompt/support/triage@v2", "prompt": {"variables": {"ticket": "Help"}}
    }  # fmt: skip


def test_a_route_is_asked_for_by_its_name_beside_the_prompt() -> None:
    assert asked(Target("support/triage", "draft", "chat"), case_of("contains: b")) == {
        "model": "chat", "prompt": {"id": "support/triage", "version": "draft", "variables": {"ticket": "Help"}}
    }  # fmt: skip


def test_messages_of_a_case_are_sent_as_the_caller_s() -> None:
    case = case_of("contains: b", variables="{}", messages="  messages: [{role: user, content: Hi}]\n")
    assert asked(TARGET, case)["messages"] == [{"role": "user", "content": "Hi"}]
