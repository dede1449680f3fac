"""Rules beyond types: media as data only, parts bounded together, echoes of the SDK forgotten, fields that belong together."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import InvalidRequest
from gateway.wire.chat import read_chat_request, write_chat_request
from gateway.wire.limits import LIMITS
from tests.wire.hostile import encoded


def user(*parts: Any) -> bytes:
    return encoded(
        messages=[{"role": "system", "content": "x"}, {"role": "user", "content": [{"type": "text", "text": "a"}, *parts]}]
    )


def refused(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(body)
    assert caught.value.code == "invalid_field"
    return caught.value


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def sound(data: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


REMOTE = [
    "http://a/b",
    "https://a",
    "HTTP://a",
    "file:///etc/passwd",
    "ftp://a",
    "gs:b",
    " data:,",
    "DATA:,x",
    "javascript:data:",
    "//a:80/b",
]


@pytest.mark.parametrize("url", [*REMOTE, "", "//host/a", "/etc/passwd", "AAAA"])
def test_an_image_is_a_data_url(url: str) -> None:
    assert refused(user(image(url))).param == "messages[1].content[1].image_url.url"


@pytest.mark.parametrize("url", REMOTE)
def test_sound_and_files_are_no_urls(url: str) -> None:
    assert refused(user(sound(url))).param == "messages[1].content[1].input_audio.data"
    assert refused(user(file(file_data=url))).param == "messages[1].content[1].file.file_data"


def test_a_file_is_not_given_by_its_id() -> None:
    assert refused(user(file(file_id="file-1"))).param == "messages[1].content[1].file.file_id"


@pytest.mark.parametrize(
    "part", [image("data:image/png;base64,AA=="), sound("AA=="), file(file_data="AA==", filename="a"), file(file_data="data:,a")]
)
def test_media_as_data_is_passed_on(part: dict[str, Any]) -> None:
    body = user(part)
    assert msgspec.json.decode(write_chat_request(read_chat_request(body))) == msgspec.json.decode(body)


def test_parts_are_bounded_over_all_messages() -> None:
    half = {"role": "system", "content": [{"type": "text", "text": ""}] * (LIMITS.parts // 2)}
    read_chat_request(encoded(messages=[half, half]))
    error = refused(encoded(messages=[half, half, {"role": "user", "content": [{"type": "text", "text": ""}]}]))
    assert error.param == "messages[2].content"


@pytest.mark.parametrize("stream", [{}, {"stream": None}, {"stream": False}])
def test_stream_options_need_a_stream(stream: dict[str, Any]) -> None:
    assert refused(encoded(stream_options={"include_usage": True}, **stream)).param == "stream_options"
    read_chat_request(encoded(stream_options=None, **stream))


def test_stream_options_of_openai_and_vllm_are_taken() -> None:
    options = {"include_usage": True, "include_obfuscation": False, "continuous_usage_stats": True}
    read_chat_request(encoded(stream=True, stream_options=options))


def test_an_answer_that_the_sdk_parsed_may_be_sent_back_and_its_copies_are_forgotten() -> None:
    function = {"name": "f", "arguments": '{"a":1}'}
    call = {"id": "1", "type": "function", "function": function}
    answer: dict[str, Any] = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "reasoning": "hm",
    }
    sent = {
        **answer,
        "parsed": {"a": [1]},
        "tool_calls": [{**call, "index": 0, "function": {**function, "parsed_arguments": {"a": 1}}}],
    }
    body = encoded(
        messages=[
            sent,
            {
                "role": "assistant",
                "tool_calls": [{"type": "custom", "id": "2", "custom": {"name": "c", "input": ""}, "index": 1}],
            },
        ]
    )
    first, second = msgspec.json.decode(write_chat_request(read_chat_request(body)))["messages"]
    assert first == {**answer, "tool_calls": [call]}
    assert second == {"role": "assistant", "tool_calls": [{"type": "custom", "id": "2", "custom": {"name": "c", "input": ""}}]}
