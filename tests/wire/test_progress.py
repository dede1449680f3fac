"""The progress of a stream: complete is only what ended in every choice and without an error."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.exchange.usage import Usage
from gateway.wire.answer import Body, WireError
from gateway.wire.progress import StreamProgress


def chunk(index: int = 0, finish: str | None = None, **fields: Any) -> Body:
    return {"choices": [{"index": index, "delta": {}, "finish_reason": finish}], **fields}


def followed(*chunks: Body, n: int = 1) -> StreamProgress:
    progress = StreamProgress(n)
    progress.feed(chunks)
    return progress


def test_nothing_is_not_complete() -> None:
    assert not StreamProgress().complete
    assert StreamProgress().finish == ""


def test_a_stream_without_finish_reason_is_not_complete() -> None:
    assert not followed(chunk(), chunk()).complete


def test_a_finish_reason_completes_a_stream() -> None:
    progress = followed(chunk(), chunk(finish="stop"))
    assert (progress.complete, progress.finish) == (True, "stop")


def test_every_choice_must_end() -> None:
    progress = followed(chunk(0, "stop"), n=2)
    assert not progress.complete
    progress.feed([chunk(1), chunk(1, "length")])
    assert (progress.complete, progress.finish) == (True, "stop,length")


def test_choices_of_one_chunk_count_each() -> None:
    both = {"choices": [*chunk(1, "stop")["choices"], *chunk(0, "stop")["choices"]]}
    progress = followed(both, n=2)
    assert (progress.complete, progress.finish) == (True, "stop")


def test_finish_is_in_the_order_of_the_choices() -> None:
    assert followed(chunk(1, "length"), chunk(0, "stop"), n=2).finish == "stop,length"


def test_an_empty_finish_reason_is_none() -> None:
    assert not followed(chunk(finish="")).complete


def test_the_first_finish_reason_counts() -> None:
    assert followed(chunk(finish="length"), chunk(finish=None), chunk(finish="stop")).finish == "length"


def test_an_error_event_is_a_failure_even_after_the_end() -> None:
    progress = followed(chunk(finish="stop"), {"error": {"message": "boom"}}, chunk(finish="stop"))
    assert (progress.failed, progress.complete) == (True, False)


def test_without_an_error_event_nothing_failed() -> None:
    assert not followed(chunk()).failed


@pytest.mark.parametrize("index", [-1, 1, 10**9])
def test_a_choice_that_was_not_asked_for_is_refused(index: int) -> None:
    with pytest.raises(WireError):
        followed(chunk(index))


def test_the_last_usage_counts() -> None:
    progress = followed(
        chunk(usage={"prompt_tokens": 3, "completion_tokens": 1}),
        chunk(finish="stop", usage=None),
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    )
    assert progress.usage == Usage(input=3, output=2)


def test_usage_survives_that_it_is_taken_out_of_the_chunk() -> None:
    last = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    progress = followed(last)
    last.pop("usage")
    assert progress.usage == Usage(input=3, output=2)


def test_no_usage_is_none() -> None:
    assert followed(chunk(finish="stop")).usage is None
