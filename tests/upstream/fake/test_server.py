"""Over TCP the fake answers as in process, and its faults are real on the network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import pytest

from gateway.http.client import AiohttpClient
from gateway.http.contract import HttpLimits, HttpRequest
from gateway.upstream.fake.behaviour import Behaviour, Character
from gateway.upstream.fake.client import FakeClient
from gateway.upstream.fake.faults import FAULTS
from gateway.upstream.fake.server import serving
from tests.upstream.fake.asking import HASTY, PATIENT, Reply, body_of, send

T = TypeVar("T")

LATE = {"hang-before-head", "hang-after-head", "hang-mid-answer"}
LOOSE = {"short-length", "unreachable"}
"""What a client makes of bytes beyond the announced ones is its own affair; that nobody listens cannot be said over TCP."""


def behaviour(character: Character | None = None) -> Behaviour:
    return Behaviour(character, clock=lambda: 1_700_000_000)


async def over_tcp(served: Behaviour, story: Callable[[AiohttpClient], Awaitable[T]], limits: HttpLimits = PATIENT) -> T:
    async with serving(served) as url:
        client = AiohttpClient(url, limits=limits, connections=8)
        try:
            return await story(client)
        finally:
            await client.close()


async def exchange(served: Behaviour, raw: bytes) -> bytes | str:
    """Send bytes on a connection of its own and return all that comes back, or the name of the error."""
    async with serving(served) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].removesuffix("/v1")))
        try:
            writer.write(raw)
            received = b""
            while data := await asyncio.wait_for(reader.read(65_536), 20):
                received += data
        except ConnectionError as error:
            return f"{type(error).__name__} after {received[-5:]!r}"
        finally:
            writer.close()
        return received


def post(content: str, **fields: object) -> bytes:
    body = body_of(content, **fields)
    return b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def comparable(reply: Reply) -> tuple[int, bytes, str]:
    return reply.status, reply.body if not reply.error else b"", reply.error


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["", *(fault for fault in FAULTS if fault not in LOOSE)])
def test_a_client_meets_over_tcp_what_it_meets_in_process(fault: str, stream: bool) -> None:  # a case
    line = f"#fake fault={fault} gap=0.0001 size={600_000 if fault == 'long-line' else 3_000_000}\n" if fault else ""
    body = body_of(f"{line}hi you", stream=stream)
    limits = HASTY if fault in LATE else PATIENT
    here, there = behaviour(), behaviour()

    async def story(client: AiohttpClient) -> tuple[Reply, Reply]:
        over = await send(client, body)
        assert await there.ledger.idle(20)
        return await send(FakeClient(here, limits=limits), body), over

    in_process, over = asyncio.run(over_tcp(there, story, limits))
    assert comparable(over) == comparable(in_process)
    one, other = here.ledger.served[0], there.ledger.served[0]
    assert (one.outcome, one.status, one.finish) == (other.outcome, other.status, other.finish)
    if one.outcome != "aborted":
        assert one.completion_tokens == other.completion_tokens


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("line", ["", "#fake fault=gzip\n", "#fake fault=rate-limit\n"])
def test_headers_are_those_told_in_process(line: str, stream: bool) -> None:  # a case, not an option
    body = body_of(f"{line}hi", stream=stream)

    async def story(client: AiohttpClient) -> tuple[Reply, Reply]:
        return await send(FakeClient(behaviour()), body), await send(client, body)

    here, over = asyncio.run(over_tcp(behaviour(), story))
    assert here.headers is not None
    assert over.headers is not None
    assert {name: over.headers.get(name) for name in here.headers} == dict(here.headers)


def test_a_reset_is_a_reset_after_what_was_sent() -> None:
    received = asyncio.run(exchange(behaviour(), post("#fake fault=reset-mid-answer", stream=True)))
    assert received == "ConnectionResetError after b'}\\n\\n\\r\\n'"
    assert asyncio.run(exchange(behaviour(), post("#fake fault=reset-before-head"))) == "ConnectionResetError after b''"
    assert asyncio.run(exchange(behaviour(), post("#fake fault=unreachable"))) == "ConnectionResetError after b''"


def test_a_close_is_a_close_before_the_announced_end() -> None:
    received = asyncio.run(exchange(behaviour(), post("#fake fault=close-mid-answer", stream=True)))
    assert isinstance(received, bytes)
    assert received.count(b"data: ") == 3
    assert b"\r\n0\r\n\r\n" not in received
    assert asyncio.run(exchange(behaviour(), post("#fake fault=close-before-head"))) == b""


def test_a_length_may_be_too_long_or_too_short() -> None:
    for fault, difference in (("wrong-length", -100), ("short-length", 1)):
        received = asyncio.run(exchange(behaviour(), post(f"#fake fault={fault}")))
        assert isinstance(received, bytes)
        head, _, body = received.partition(b"\r\n\r\n")
        announced = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        assert len(body) - announced == difference or (difference == 1 and len(body) > announced)
        assert body.endswith(b"}")


def test_bytes_that_are_not_http_and_a_huge_head() -> None:
    assert asyncio.run(exchange(behaviour(), post("#fake fault=not-http"))) == b"SSH-2.0-OpenSSH_9.9\r\n\r\n"
    received = asyncio.run(exchange(behaviour(), post("#fake fault=huge-head")))
    assert isinstance(received, bytes)
    assert len(received.partition(b"\r\n\r\n")[0]) > 256_000


@pytest.mark.parametrize("line", ["chunks=500 gap=0.02", "delay=30", "fault=hang-before-head", "fault=hang-mid-answer"])
def test_a_client_that_leaves_is_seen_at_once(line: str) -> None:
    served = behaviour()

    async def story() -> float:
        loop = asyncio.get_running_loop()
        async with serving(served) as url:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].removesuffix("/v1")))
            writer.write(post(f"#fake {line}", stream=True))
            if "chunks" in line:
                await reader.readuntil(b'"content":"w1"')
            assert await served.ledger.reached(1, seconds=20)
            assert not await served.ledger.idle(0.05)
            left = loop.time()
            writer.close()
            assert await served.ledger.idle(20)
            return loop.time() - left

    assert asyncio.run(story()) < 1.0
    assert served.ledger.served[0].outcome == "aborted"


def test_a_client_that_leaves_inside_its_request_is_not_entered() -> None:
    served = behaviour()

    async def story() -> None:
        async with serving(served) as url:
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].removesuffix("/v1")))
            writer.write(post("hi")[:-5])
            await ledger(url)
            writer.close()
            await writer.wait_closed()
            await ledger(url)

    asyncio.run(story())
    assert served.ledger.totals.requests == 0


def test_leaving_the_server_ends_what_still_hangs() -> None:
    served = behaviour()

    async def story() -> None:
        async with serving(served) as url:
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].removesuffix("/v1")))
            writer.write(post("#fake fault=hang-before-head"))
            assert await served.ledger.reached(1, seconds=20)
        writer.close()

    asyncio.run(asyncio.wait_for(story(), 10))
    assert served.ledger.served[0].outcome == "aborted"


def test_requests_on_one_connection_follow_each_other() -> None:
    async def story(client: AiohttpClient) -> list[str]:
        return [(await send(client, body_of(f"number {number}", stream=number % 2 == 0))).text for number in range(6)]

    assert asyncio.run(over_tcp(behaviour(), story)) == [f"echo: number {number}" for number in range(6)]


async def ledger(url: str, query: str = "", method: str = "GET") -> tuple[int, dict[str, object]]:
    client = AiohttpClient(url.removesuffix("/v1"), limits=PATIENT, connections=1)
    try:
        deadline = asyncio.get_running_loop().time() + 30
        async with client.send(HttpRequest(method, f"/fake/requests{query}", {}), deadline=deadline) as response:
            body: dict[str, object] = msgspec.json.decode(await response.read())
            return response.status, body
    finally:
        await client.close()


def test_the_ledger_is_told_waited_for_and_cleared_over_tcp() -> None:
    async def story() -> None:
        async with serving(behaviour()) as url:
            client = AiohttpClient(url, limits=PATIENT, connections=1)
            async with asyncio.TaskGroup() as group:
                group.create_task(send(client, body_of("#fake delay=0.05\nhi")))
                status, report = await ledger(url, "?reached=1&within=20")
                assert (status, msgspec.convert(report["totals"], dict[str, object])["requests"]) == (200, 1)
            _, report = await ledger(url, "?idle=20")
            (request,) = msgspec.convert(report["requests"], list[dict[str, object]])
            assert (request["id"], request["outcome"], request["model"]) == ("chatcmpl-r-1", "complete", "m")
            _, report = await ledger(url, method="DELETE")
            assert report["requests"] == []
            await client.close()

    asyncio.run(story())


@pytest.mark.parametrize("query", ["?idle=soon", "?idle=-1", "?idle=61", "?idle=nan", "?reached=x", "?reached=1&within=61"])
def test_a_wait_without_sense_is_refused(query: str) -> None:
    async def story() -> int:
        async with serving(behaviour()) as url:
            return (await ledger(url, query))[0]

    assert asyncio.run(story()) == 400
