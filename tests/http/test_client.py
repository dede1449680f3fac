"""The aiohttp client against a server whose every byte the test writes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.http.client import AiohttpClient
from gateway.http.contract import HttpBroken, HttpLimits, HttpRequest, HttpTimeout, HttpUnreachable

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
POST = HttpRequest("POST", "/chat/completions", {"content-type": "application/json"}, b'{"a":1}')
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Server:
    """What the server saw: requests, and how many of its connections were opened and are gone."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.opened = 0
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
    return head + await reader.readexactly(length)


@asynccontextmanager
async def serving(script: Script, limits: HttpLimits | None = None) -> AsyncIterator[tuple[AiohttpClient, Server]]:
    seen = Server()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.opened += 1
        try:
            while True:
                seen.requests.append(await read_request(reader))
                seen.asked.set()
                await script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            seen.gone.set()
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = AiohttpClient(
        f"http://127.0.0.1:{port}/v1", limits=limits or HttpLimits(), connections=8, headers={"x-constant": "1"}
    )
    try:
        yield client, seen
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


def soon(seconds: float = 10) -> float:
    return asyncio.get_running_loop().time() + seconds


def answers(data: bytes) -> Script:
    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return script


def answers_and_hangs(data: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        raise asyncio.IncompleteReadError(await reader.read(1), 1)

    return script


def answers_and_closes(data: bytes) -> Script:
    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        raise ConnectionError

    return script


def test_a_request_reaches_the_server_as_it_was_given() -> None:
    async def main() -> None:
        async with serving(answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\nok")) as (client, server):
            async with client.send(POST, deadline=soon()) as response:
                assert (response.status, response.headers["X-A"], await response.read()) == (200, "b", b"ok")
            head, _, body = server.requests[0].partition(b"\r\n\r\n")
            assert body == b'{"a":1}'
            lines = head.split(b"\r\n")
            assert lines[0] == b"POST /v1/chat/completions HTTP/1.1"
            names = {line.split(b":")[0].lower() for line in lines[1:]}
            assert names == {
                b"host",
                b"content-type",
                b"content-length",
                b"user-agent",
                b"accept",
                b"accept-encoding",
                b"x-constant",
            }
            assert b"accept-encoding: identity" in [line.lower() for line in lines]

    asyncio.run(main())


def test_a_connection_whose_answer_was_read_is_used_again() -> None:
    async def main() -> None:
        async with serving(answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")) as (client, server):
            for _ in range(3):
                async with client.send(POST, deadline=soon()) as response:
                    await response.read()
            assert (len(server.requests), server.opened) == (3, 1)

    asyncio.run(main())


def test_a_body_whose_end_comes_a_moment_late_keeps_its_connection() -> None:
    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"6\r\nalmost\r\n")
        await writer.drain()
        asyncio.get_running_loop().call_later(0.02, writer.write, b"0\r\n\r\n")

    async def main() -> None:
        async with serving(script) as (client, server):
            for _ in range(2):
                async with client.send(POST, deadline=soon()) as response:
                    async for data in response.reads():
                        assert data == b"almost"
                        break
            assert server.opened == 1

    asyncio.run(main())


def test_a_body_that_does_not_end_in_the_grace_costs_its_connection_and_nothing_else() -> None:
    async def main() -> None:
        async with serving(answers_and_hangs(CHUNKED + b"6\r\nalmost\r\n")) as (client, server):
            async with client.send(POST, deadline=soon()) as response:
                async for _ in response.reads():
                    break
            await asyncio.wait_for(server.gone.wait(), 5)

    asyncio.run(main())


def test_leaving_early_closes_the_connection() -> None:
    async def main() -> None:
        async with serving(answers_and_hangs(CHUNKED + b"1\r\na\r\n")) as (client, server):
            with pytest.raises(ZeroDivisionError):
                async with client.send(POST, deadline=soon()) as response:
                    async for _ in response.reads():
                        raise ZeroDivisionError
            await asyncio.wait_for(server.gone.wait(), 1)

    asyncio.run(main())


def test_cancelling_before_the_head_closes_the_connection() -> None:
    async def main() -> None:
        async with serving(answers_and_hangs(b"")) as (client, server):

            async def asks() -> None:
                async with client.send(POST, deadline=soon()):
                    raise AssertionError

            async with asyncio.TaskGroup() as group:
                task = group.create_task(asks())
                await server.asked.wait()
                task.cancel()
            await asyncio.wait_for(server.gone.wait(), 1)

    asyncio.run(main())


def test_no_server_is_unreachable() -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        client = AiohttpClient(f"http://127.0.0.1:{port}/v1", limits=HttpLimits(), connections=8)
        with pytest.raises(HttpUnreachable):
            async with client.send(POST, deadline=soon()):
                raise AssertionError
        await client.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answers_and_closes(b""), id="closed before the head"),
        pytest.param(answers_and_closes(b"nonsense\r\n\r\n"), id="not HTTP"),
        pytest.param(answers_and_closes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort"), id="cut by length"),
        pytest.param(answers_and_closes(CHUNKED + b"5\r\nhel"), id="cut inside a chunk"),
        pytest.param(answers_and_closes(CHUNKED + b"zz\r\n"), id="bad chunk size"),
        pytest.param(answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b"a" * 2000), id="too long"),
        pytest.param(
            answers(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope"), id="not gzip as it says"
        ),
    ],
)
def test_a_broken_answer_is_broken(script: Script) -> None:
    async def main() -> None:
        async with serving(script, HttpLimits(max_answer_bytes=1000)) as (client, _):
            with pytest.raises(HttpBroken):
                async with client.send(POST, deadline=soon()) as response:
                    await response.read()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("sent", "limits"),
    [
        pytest.param(b"", HttpLimits(first_byte=0.05), id="no head"),
        pytest.param(CHUNKED, HttpLimits(idle=0.05), id="no body"),
        pytest.param(CHUNKED + b"1\r\na\r\n", HttpLimits(idle=0.05), id="silence in mid-body"),
    ],
)
def test_silence_is_a_timeout(sent: bytes, limits: HttpLimits) -> None:
    async def main() -> None:
        async with serving(answers_and_hangs(sent), limits) as (client, server):
            with pytest.raises(HttpTimeout):
                async with client.send(POST, deadline=soon()) as response:
                    await response.read()
            await asyncio.wait_for(server.gone.wait(), 1)

    asyncio.run(main())


def test_the_exchange_s_deadline_ends_a_trickle() -> None:
    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        while True:
            writer.write(b"1\r\na\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)

    async def main() -> None:
        async with serving(script) as (client, server):
            with pytest.raises(HttpTimeout):
                async with client.send(POST, deadline=soon(0.1)) as response:
                    await response.read()
            await asyncio.wait_for(server.gone.wait(), 1)

    asyncio.run(main())


def test_a_redirect_is_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"

    async def main() -> None:
        async with serving(answers(answer)) as (client, _), client.send(POST, deadline=soon()) as response:
            assert response.status == 302

    asyncio.run(main())


def test_closing_a_client_that_never_sent_is_nothing() -> None:
    asyncio.run(AiohttpClient("http://127.0.0.1:1", limits=HttpLimits(), connections=1).close())
