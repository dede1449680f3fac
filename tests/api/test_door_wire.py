"""What HTTP/1.1 offers and the door must not break: keep-alive, pipelining, HEAD, chunked bodies, 100-continue, upgrades."""

from __future__ import annotations

import asyncio

import pytest

from gateway.api.door import DISCONNECT, MAX_PIPELINED
from tests.api.house import LIMITS, PATIENCE, house, run

CHUNKED = b"POST %s HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"


def post(body: bytes, path: bytes = b"/echo", *headers: bytes) -> bytes:
    fields = b"".join(header + b"\r\n" for header in headers)
    return b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n%s\r\n%s" % (path, len(body), fields, body)


def test_a_connection_serves_one_request_after_another() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            for number in range(50):
                client.send(post(b"%d" % number))
                assert (await client.answer()).body == b"%d" % number
            assert home.state.total_requests == 50

    run(main())


def test_requests_that_come_together_are_answered_in_their_order() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(b"".join(post(b"%d" % number) for number in range(MAX_PIPELINED)))
            for number in range(MAX_PIPELINED):
                assert (await client.answer()).body == b"%d" % number
            client.send(post(b"later"))
            assert (await client.answer()).body == b"later"

    run(main())


def test_requests_beyond_what_may_wait_are_refused_and_the_others_answered() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(post(b"x") * (MAX_PIPELINED + 10))
            for _ in range(MAX_PIPELINED + 1):
                assert (await client.answer()).body == b"x"
            assert (await client.answer()).code == "invalid_http"
            assert await client.rest() == b""
            assert home.state.total_requests == MAX_PIPELINED + 1

    run(main())


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_request_may_come_in_any_pieces(size: int) -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            sent = CHUNKED % b"/echo" + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n" + post(b"again")
            for start in range(0, len(sent), size):
                client.send(sent[start : start + size])
                await asyncio.sleep(0)
            assert (await client.answer()).body == b"hello world"
            assert (await client.answer()).body == b"again"

    run(main())


def test_an_answer_to_head_has_no_body() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(b"HEAD /echo HTTP/1.1\r\nhost: a\r\n\r\n" + post(b"next"))
            assert (await client.answer(head_only=True)).status == 200
            assert (await client.answer()).body == b"next"

    run(main())


def test_who_expects_100_continue_is_told_to_go_on() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(b"POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
            assert (await client.answer()).status == 100
            client.send(b"hello")
            assert (await client.answer()).body == b"hello"

    run(main())


def test_who_expects_100_continue_may_be_refused_by_the_app_instead() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(b"POST /early HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
            assert (await client.answer()).status == 401

    run(main())


def test_http_1_0_is_answered_and_closed() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(b"GET /echo HTTP/1.0\r\n\r\n")
            assert (await client.answer()).headers["connection"] == "close"
            assert await client.rest() == b""

    run(main())


def test_a_client_that_asks_for_the_end_gets_it_after_its_answer() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(post(b"last", b"/echo", b"connection: close") + b"ignored" * 1000)
            assert (await client.answer()).body == b"last"
            assert await client.rest() == b""

    run(main())


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param((b"upgrade: websocket", b"connection: Upgrade", b"sec-websocket-version: 13"), id="websocket"),
        pytest.param((b"connection: Upgrade, HTTP2-Settings", b"http2-settings: AAMAAABk", b"upgrade: h2c"), id="h2c"),
    ],
)
@pytest.mark.parametrize("cut", [0, 3, 1000])
def test_an_upgrade_is_ignored_and_the_body_read(fields: tuple[bytes, ...], cut: int) -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            sent = post(b"hello", b"/echo", *fields)
            client.send(sent[: len(sent) - cut])
            await asyncio.sleep(0.01)
            client.send(sent[len(sent) - cut :] if cut else b"")
            client.send(post(b"again"))
            assert (await client.answer()).body == b"hello"
            assert (await client.answer()).body == b"again"
            assert b"upgrade" not in dict(home.app.scopes[0]["headers"])
            assert home.app.scopes[0]["method"] == "POST"

    run(main())


def test_a_row_of_upgrades_is_held_to_what_may_wait() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(post(b"x", b"/echo", b"upgrade: h2c", b"connection: upgrade") * (MAX_PIPELINED + 10))
            for _ in range(MAX_PIPELINED + 1):
                assert (await client.answer()).body == b"x"
            assert (await client.answer()).code == "invalid_http"

    run(main())


def test_an_early_answer_leaves_the_connection_usable() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe")
            assert (await client.answer()).status == 401
            client.send(b"llo" + post(b"next"))
            assert (await client.answer()).body == b"next"

    run(main())


def test_each_request_has_a_disconnect_of_its_own() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(post(b"1") + post(b"2"))
            await client.answer()
            await client.answer()
            first, second = (scope["extensions"][DISCONNECT] for scope in home.app.scopes)
            assert first is not second
            assert not first.gone
            assert not second.gone

    run(main())


def test_a_refusal_carries_the_date_and_its_own_length() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            home.state.default_headers = [(b"date", b"Tue, 24 Nov 2026 12:00:00 GMT")]
            client.send(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % (LIMITS.max_body_bytes + 1))
            answer = await client.answer()
            assert answer.headers["date"].endswith("GMT")
            assert answer.headers["content-length"] == str(len(answer.body))

    run(main())


def test_a_refusal_is_reported_with_the_id_that_the_client_was_given() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(b"rubbish\r\n\r\n")
            answer = await client.answer()
            assert home.refusals == [("invalid_http", answer.headers["x-request-id"])]

    run(main())


def test_a_request_waits_for_the_one_before_it() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(post(b"1", b"/hold") + post(b"2"))
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            assert home.app.started == ["/hold"]
            home.app.release.set()
            assert (await client.answer()).body == b"1"
            assert (await client.answer()).body == b"2"

    run(main())
