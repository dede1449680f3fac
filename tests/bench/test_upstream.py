from __future__ import annotations

import asyncio
import time

import pytest

from tests.bench.bodies import BURST, MODELS, PACE, PACED, PLAIN, events, incomplete, request_body
from tests.bench.serving import serving


async def _exchange(*bodies: bytes) -> list[tuple[bytes, list[float]]]:
    """Send requests over one connection; return each answer's body and when its reads came."""
    found = []
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in bodies:
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            found.append(await (_chunks(reader) if b"chunked" in head else _whole(reader, head)))
        writer.close()
        await writer.wait_closed()
    return found


async def _whole(reader: asyncio.StreamReader, head: bytes) -> tuple[bytes, list[float]]:
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    return await reader.readexactly(length), [time.perf_counter()]


async def _chunks(reader: asyncio.StreamReader) -> tuple[bytes, list[float]]:
    body, times = b"", []
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        times.append(time.perf_counter())
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body, times


@pytest.mark.parametrize("model", MODELS)
def test_every_model_answers_completely_and_keeps_the_connection(model: str) -> None:
    body = request_body(model)
    for answer, _ in asyncio.run(_exchange(body, body)):
        assert incomplete(answer, model=model) == ""


def test_a_proxy_may_write_the_request_its_own_way() -> None:
    spaced = request_body(BURST).replace(b'"stream":true', b'"stream": true').replace(b'"model":"burst"', b'"model": "burst"')
    ((answer, _),) = asyncio.run(_exchange(spaced))
    assert answer == b"".join(events(BURST))


def test_a_paced_stream_takes_its_time() -> None:
    ((_, times),) = asyncio.run(_exchange(request_body(PACED)))
    assert times[-1] - times[0] >= 49 * PACE


def test_a_plain_answer_follows_a_stream_on_the_same_connection() -> None:
    answers = asyncio.run(_exchange(request_body(BURST), request_body(PLAIN)))
    assert incomplete(answers[1][0], model=PLAIN) == ""


def test_what_is_not_http_ends_the_connection() -> None:
    async def main() -> bytes:
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x00\x01 nonsense\r\n\r\n")
            said = await reader.read()
            writer.close()
            await writer.wait_closed()
            return said

    assert asyncio.run(main()) == b""
