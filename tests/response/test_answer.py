"""An upstream's answer made ours."""

from typing import Any

import pytest

from gateway.errors import UpstreamFailed
from gateway.exchange.exchange import Exchange
from gateway.response.answer import Answer
from gateway.wire.chat import read_chat_request

HELLO = b'{"model":"chat","messages":[{"role":"user","content":"Hello"}]%s}'


def answer(*, stream: bool, options: bytes = b"") -> tuple[Answer, Exchange]:
    exchange = Exchange("chat", model="chat", stream=stream)
    return Answer(exchange, read_chat_request(HELLO % (options + (b',"stream":true' if stream else b"")))), exchange


def chunk(**fields: Any) -> dict[str, Any]:
    return {"id": None, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **fields}


def test_null_and_missing_ids_become_ours() -> None:
    ours, exchange = answer(stream=True)
    first, second = ours.ours([chunk(), {"choices": chunk()["choices"]}])
    assert first["id"] == second["id"] == f"chatcmpl-{exchange.id}"
    assert first["model"] == second["model"] == "chat"


@pytest.mark.parametrize("options", [b"", b',"stream_options":null', b',"stream_options":{"include_usage":false}'])
def test_usage_that_was_not_asked_for_is_counted_and_not_shown(options: bytes) -> None:
    ours, exchange = answer(stream=True, options=options)
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    assert ours.ours([chunk(usage=None), chunk(choices=[], usage=usage)]) == [
        {"id": f"chatcmpl-{exchange.id}", "model": "chat", "choices": chunk()["choices"]}
    ]
    ours.end()
    assert exchange.usage is not None
    assert exchange.usage.output == 2


def test_usage_that_was_asked_for_is_shown() -> None:
    ours, _ = answer(stream=True, options=b',"stream_options":{"include_usage":true}')
    assert [body["usage"] for body in ours.ours([chunk(usage=None), chunk(choices=[], usage={"prompt_tokens": 1})])] == [
        None,
        {"prompt_tokens": 1},
    ]


def test_the_first_byte_is_marked_once() -> None:
    ours, exchange = answer(stream=True)
    for _ in range(3):
        ours.ours([chunk()])
    assert [step for step, _ in exchange.marks] == ["first_byte"]


def test_a_stream_that_never_finished_is_a_failure_with_its_usage_counted() -> None:
    ours, exchange = answer(stream=True)
    ours.ours([{"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}])
    with pytest.raises(UpstreamFailed):
        ours.end()
    assert exchange.usage is not None
    assert exchange.usage.input == 3


def test_a_whole_answer_tells_every_choice_s_finish_and_keeps_its_usage() -> None:
    ours, exchange = answer(stream=False, options=b',"n":2')
    choices = [{"index": index, "message": {}, "finish_reason": finish} for index, finish in enumerate(("length", "stop"))]
    (body,) = ours.ours([{"choices": choices, "usage": {"prompt_tokens": 1}}])
    ours.end()
    assert exchange.finish == "length,stop"
    assert body["usage"] == {"prompt_tokens": 1}


def test_a_whole_answer_without_all_its_choices_is_a_failure() -> None:
    ours, _ = answer(stream=False, options=b',"n":2')
    ours.ours([{"choices": [{"index": 0, "message": {}, "finish_reason": "length"}]}])
    with pytest.raises(UpstreamFailed):
        ours.end()
