"""A whole answer in one write: the same to a client as ASGI's two."""

from __future__ import annotations

from gateway.api.door import Disconnect, Door
from tests.api.house import house, run

POST = b"POST /whole HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n"


def test_it_is_answered_as_ever_and_the_connection_goes_on() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            home.state.default_headers = [(b"date", b"today")]
            for body in (b"ab", b"cd"):
                client.send(POST + body)
                answer = await client.answer()
                assert (answer.status, answer.body, answer.headers["x-way"]) == (200, body, "whole")
                assert answer.headers["date"] == "today"
                assert "connection" not in answer.headers

    run(main())


def test_requests_that_were_sent_ahead_are_answered_in_their_order() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(POST + b"ab" + POST + b"cd" + POST.replace(b"/whole", b"/echo") + b"ef" + POST + b"gh")
            assert [(await client.answer()).body for _ in range(4)] == [b"ab", b"cd", b"ef", b"gh"]

    run(main())


def test_a_client_that_wants_the_end_of_the_connection_gets_it() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(POST.replace(b"host: a", b"host: a\r\nconnection: close") + b"ab")
            answer = await client.answer()
            assert (answer.body, answer.headers["connection"]) == (b"ab", "close")
            assert await client.rest() == b""
            await home.empty()

    run(main())


def test_a_head_only_request_gets_no_body() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(POST.replace(b"POST", b"HEAD") + b"ab" + POST + b"cd")
            head = await client.answer(head_only=True)
            assert head.status == 200
            assert "x-way" not in head.headers
            assert (await client.answer()).body == b"cd"

    run(main())


def test_a_client_that_does_not_read_is_waited_for() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(b"POST /flood HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
            await home.until(lambda: home.app.flooded > 0)
            (door,) = home.state.connections
            assert isinstance(door, Door)
            await home.until(lambda: door.flow.write_paused)
            disconnect = Disconnect()
            disconnect.cycle = door.cycle
            door.cycle.response_started = False  # as if this answer were the next one
            assert not disconnect.write(200, [], b"x")

    run(main())


def test_without_a_door_there_is_no_such_way() -> None:
    assert not Disconnect().write(200, [], b"x")
