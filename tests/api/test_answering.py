"""An answer on its way out, and how it ends when something fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest

from gateway.api.answering import Answering
from gateway.api.door import Disconnect
from gateway.errors import RateLimited, UpstreamTimeout
from tests.asgi import Reply, collector


def sent(script: Callable[[Answering], Awaitable[None]]) -> Reply:
    reply = Reply()

    async def main() -> None:
        await script(Answering(collector(reply), "the-id"))

    asyncio.run(main())
    return reply


def test_a_json_body_has_its_length_and_id() -> None:
    reply = sent(lambda answering: answering.json(b"{}", headers=[(b"x-a", b"b")]))
    assert (reply.status, reply.ended, reply.body) == (200, True, b"{}")
    assert reply.headers == {"x-request-id": "the-id", "content-type": "application/json", "content-length": "2", "x-a": "b"}


class Line(Disconnect):
    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.written: list[tuple[int, Iterable[tuple[bytes, bytes]], bytes]] = []

    def write(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        self.written.append((status, headers, body))
        return self.takes


@pytest.mark.parametrize("takes", [True, False])
def test_a_whole_answer_goes_out_in_one_write_where_the_line_takes_it(takes: bool) -> None:
    reply, line = Reply(), Line(takes=takes)
    asyncio.run(Answering(collector(reply), "the-id", line).json(b"{}", status=400))
    ((status, headers, body),) = line.written
    assert (status, body, dict(headers)[b"x-request-id"]) == (400, b"{}", b"the-id")
    assert reply.status == (0 if takes else 400)


def test_a_stream_is_not_held_back_by_proxies_and_ends_with_done() -> None:
    async def script(answering: Answering) -> None:
        await answering.open([])
        await answering.events(b"data: 1\n\n")
        await answering.done()

    reply = sent(script)
    assert reply.headers["x-accel-buffering"] == "no"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.parts == [b"data: 1\n\n", b"data: [DONE]\n\n"]


def test_a_failure_before_anything_was_sent_is_the_answer() -> None:
    reply = sent(lambda answering: answering.fail(RateLimited("Wait.", retry_after=7)))
    assert reply.error() == (429, "rate_limit_exceeded", None)
    assert reply.headers["retry-after"] == "7"


def test_a_failure_in_mid_stream_is_its_last_event() -> None:
    async def script(answering: Answering) -> None:
        await answering.open([])
        await answering.fail(UpstreamTimeout("Late."))

    reply = sent(script)
    assert reply.ended
    assert reply.events()[0]["error"]["code"] == "upstream_timeout"


def test_a_failure_after_the_end_is_not_told() -> None:
    async def script(answering: Answering) -> None:
        await answering.json(b"{}")
        await answering.fail(UpstreamTimeout("Late."))

    assert sent(script).parts == [b"{}"]


def test_a_failure_inside_another_application_s_answer_sends_nothing() -> None:
    async def script(answering: Answering) -> None:
        await answering.passing({"type": "http.response.start", "status": 200, "headers": []})
        await answering.passing({"type": "http.response.body", "body": b"a", "more_body": True})
        await answering.fail(UpstreamTimeout("Late."))

    reply = sent(script)
    assert (reply.parts, reply.ended) == ([b"a"], False)
