"""Answers: headers without case, announced lengths, vLLM's envelope."""

from __future__ import annotations

import msgspec
import pytest

from gateway.upstream.fake.answer import DONE, Headers, Wait, error_answer, event, json_answer, stream, whole


def test_names_of_headers_compare_without_case() -> None:
    headers = Headers({"Retry-After": "7", "x-a": "b"})
    assert headers["retry-after"] == headers["RETRY-AFTER"] == "7"
    assert headers.get("X-A") == "b"
    assert sorted(headers) == ["retry-after", "x-a"]
    assert len(headers) == 2
    with pytest.raises(KeyError):
        headers["none"]


def test_a_whole_answer_announces_its_length() -> None:
    answer = whole(b"abc", "text/plain", status=418, headers={"x-a": "b"})
    assert (answer.status, answer.whole, list(answer.parts)) == (418, True, [b"abc"])
    assert dict(answer.headers) == {"content-type": "text/plain", "content-length": "3", "x-a": "b"}


def test_an_error_is_told_as_vllm_tells_it() -> None:
    answer = error_answer(400, "no", kind="BadRequestError", param="n", headers={"retry-after": "1"})
    (body,) = answer.parts
    assert isinstance(body, bytes)
    assert msgspec.json.decode(body) == {"error": {"message": "no", "type": "BadRequestError", "param": "n", "code": 400}}
    assert answer.headers["retry-after"] == "1"
    assert json_answer({}).headers["content-type"] == "application/json"


def test_a_stream_announces_no_length() -> None:
    answer = stream([event({"a": 1}), Wait(1), DONE])
    assert list(answer.parts) == [b'data: {"a":1}\n\n', Wait(1), b"data: [DONE]\n\n"]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in answer.headers
    assert not answer.whole
