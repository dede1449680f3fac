from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.bench.bodies import BURST, MODELS, PLAIN, incomplete, request_body
from tests.bench.floor import Client, Message, Post, forwarder
from tests.bench.floor_aiohttp import AiohttpClient
from tests.bench.serving import Saying, serving
from tests.bench.upstream import Answering


@asynccontextmanager
async def _posts(kind: str) -> AsyncIterator[Post]:
    """Give the client of a floor, before the fake upstream."""
    async with serving() as port:
        if kind == "lean":
            client = Client(port)
            yield client.post
            client.close()
        else:
            session = AiohttpClient(port)
            yield session.post
            await session.close()


async def _call(post: Post, *parts: bytes) -> list[Message]:
    """Call the floor's application as a server would, with a request body in parts."""
    incoming = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    incoming[-1]["more_body"] = False
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await forwarder(post)({"type": "http"}, receive, send)
    return sent


@pytest.mark.parametrize("kind", ["lean", "aiohttp"])
@pytest.mark.parametrize("model", MODELS)
def test_an_answer_is_relayed_whole_and_ended_once(kind: str, model: str) -> None:
    async def main() -> None:
        async with _posts(kind) as post:
            for _ in range(2):
                start, *bodies = await _call(post, request_body(model))
                assert start["status"] == 200
                assert incomplete(b"".join(message["body"] for message in bodies), model=model) == ""
                assert [bool(message.get("more_body")) for message in bodies] == [True] * (len(bodies) - 1) + [False]
                assert (b"content-length" in dict(start["headers"])) == (model == PLAIN)

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["lean", "aiohttp"])
def test_a_body_that_comes_in_parts_is_forwarded_whole(kind: str) -> None:
    async def main() -> None:
        body = request_body(BURST)
        async with _posts(kind) as post:
            sent = await _call(post, body[:700], body[700:], b"")
        assert incomplete(b"".join(message["body"] for message in sent[1:]), model=BURST) == ""

    asyncio.run(main())


def test_one_kept_connection_serves_one_exchange_after_the_other() -> None:
    async def main() -> None:
        ports = set()

        class Counting(Answering):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                ports.add(transport.get_extra_info("peername")[1])
                super().connection_made(transport)

        async with serving(lambda: Counting(asyncio.get_running_loop())) as port:
            client = Client(port)
            for model in MODELS:
                await _call(client.post, request_body(model))
            client.close()
        assert len(ports) == 1

    asyncio.run(main())


def test_a_stream_is_relayed_as_it_comes() -> None:
    async def main() -> None:
        async with _posts("lean") as post, post(request_body("paced")) as answer:
            first = await anext(aiter(answer.reads()))
            assert b"[DONE]" not in first
            assert not answer.done

    asyncio.run(main())


def test_a_connection_that_breaks_ends_the_exchange() -> None:
    async def main() -> None:
        async with serving(lambda: Saying(b"HTTP/1.1 200 OK\r\n", hang_up=True)) as port:
            with pytest.raises(ConnectionError):
                await _call(Client(port).post, request_body(PLAIN))

    asyncio.run(main())
