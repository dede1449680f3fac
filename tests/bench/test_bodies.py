from __future__ import annotations

import msgspec
import pytest

from tests.bench import bodies
from tests.bench.bodies import BURST, CHUNKS, EVENTS, MARK, MODELS, PACED, PLAIN, incomplete


@pytest.mark.parametrize("model", MODELS)
def test_a_request_is_of_the_stated_size(model: str) -> None:
    assert 1600 <= len(bodies.request_body(model)) <= 1850


def test_an_answer_is_of_the_stated_size() -> None:
    assert 950 <= len(bodies.completion()) <= 1150


def test_a_stream_has_its_chunks_a_finish_a_usage_and_an_end() -> None:
    events = bodies.events(BURST)
    assert len(events) == EVENTS
    assert sum(MARK in event for event in events) == CHUNKS
    finish, usage = (msgspec.json.decode(event.removeprefix(b"data: ")) for event in events[-3:-1])
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["total_tokens"] == 460
    assert events[-1] == b"data: [DONE]\n\n"


def test_what_the_upstream_gives_is_complete() -> None:
    assert incomplete(bodies.completion(), model=PLAIN) == ""
    assert incomplete(b"".join(bodies.events(PACED)), model=PACED) == ""


def test_comments_and_fields_that_a_proxy_adds_are_no_fault() -> None:
    events = [event.replace(b'"model":"burst"', b'"model": "burst", "service_tier": null') for event in bodies.events(BURST)]
    events.insert(-1, b": audit-receipt {}\n\n")
    assert incomplete(b"".join(events), model=BURST) == ""


@pytest.mark.parametrize("lost", range(EVENTS))
def test_a_stream_that_lost_any_event_is_incomplete(lost: int) -> None:
    events = bodies.events(BURST)
    del events[lost]
    assert incomplete(b"".join(events), model=BURST)


def test_a_stream_whose_chunk_came_twice_is_incomplete() -> None:
    events = bodies.events(BURST)
    events.insert(7, events[7])
    assert incomplete(b"".join(events), model=BURST) == "51 pieces of content"


@pytest.mark.parametrize("size", [0, 1, 500, -1])
def test_a_cut_answer_is_incomplete(size: int) -> None:
    assert incomplete(bodies.completion()[:size], model=PLAIN)


def test_an_error_is_no_answer() -> None:
    assert incomplete(b'{"error": {"message": "no", "type": "upstream_error"}}', model=PLAIN)
