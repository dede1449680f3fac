"""The door over real sockets: what is refused for its size or its form, and what has to go on working."""

from __future__ import annotations

import asyncio

import pytest

from gateway.api.door import LINGER_BYTES
from tests.api.house import LIMITS, PATIENCE, House, house, run

HEAD = b"POST /echo HTTP/1.1\r\nhost: a\r\n"
GET = b"GET /echo HTTP/1.1\r\nhost: a\r\n\r\n"
SLOWLY = 0.005  # seconds between pieces that are not to arrive as one
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def post(body: bytes, path: bytes = b"/echo") -> bytes:
    return b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%s" % (path, len(body), body)


def head_of(size: int) -> bytes:
    frame = b"GET /echo HTTP/1.1\r\nhost: a\r\nx: "
    return frame + b"a" * (size - len(frame) - 4) + b"\r\n\r\n"


def refused(sent: bytes, *pieces: bytes) -> tuple[int, str, House]:
    """Send pieces on a new connection and return status and code of the answer, after which the connection must end."""
    found: list[tuple[int, str, House]] = []

    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(sent)
            for piece in pieces:
                await asyncio.sleep(0)
                client.send(piece)
            answer = await client.answer()
            assert await client.rest() == b""
            assert home.refused == [answer.code]
            found.append((answer.status, answer.code, home))

    run(main())
    return found[0]


# Heads


def test_a_head_of_exactly_the_limit_is_taken() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(head_of(LIMITS.max_header_bytes))
            assert (await client.answer()).status == 200

    run(main())


@pytest.mark.parametrize("over", [1, 2, 500, 1_000_000])
def test_a_head_over_the_limit_is_431(over: int) -> None:
    assert refused(head_of(LIMITS.max_header_bytes + over))[:2] == (431, "headers_too_large")


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"GET /", id="a path without end"),
        pytest.param(b"GET / HTTP/1.1\r\nx: ", id="a value without end"),
        pytest.param(b"GET / HTTP/1.1\r\n", id="a name without end"),
    ],
)
def test_a_head_without_end_is_refused_as_soon_as_it_is_too_large(begin: bytes) -> None:
    assert refused(begin, *[b"a" * 100] * 40)[:2] == (431, "headers_too_large")


def test_empty_lines_before_a_request_count_as_head() -> None:
    assert refused(b"\r\n" * LIMITS.max_header_bytes)[:2] == (431, "headers_too_large")


def test_a_small_head_may_bring_a_large_body_in_the_same_piece() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            body = b"b" * LIMITS.max_body_bytes
            client.send(post(body))
            assert (await client.answer()).body == body

    run(main())


def test_a_large_head_behind_another_request_is_refused_in_its_turn() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(post(b"first") + head_of(LIMITS.max_header_bytes + 1))
            assert (await client.answer()).body == b"first"
            assert (await client.answer()).code == "headers_too_large"

    run(main())


def test_a_head_that_is_cut_behind_another_request_is_measured_by_itself() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            later = head_of(LIMITS.max_header_bytes)
            client.send(post(b"b" * 5000) + later[:100])
            assert len((await client.answer()).body) == 5000
            client.send(later[100:])
            assert (await client.answer()).status == 200

    run(main())


def test_a_head_that_is_cut_behind_the_end_of_a_body_is_measured_by_itself() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            later = head_of(LIMITS.max_header_bytes)
            client.send(CHUNKED + b"1\r\na\r\n")
            await home.until(lambda: bool(home.app.started))
            client.send(b"0\r\n\r\n" + later[:100])
            assert (await client.answer()).body == b"a"
            client.send(later[100:])
            assert (await client.answer()).status == 200

    run(main())


# Bodies


def test_a_declared_body_over_the_limit_is_413_before_it_is_sent_and_never_reaches_the_app() -> None:
    status, code, home = refused(HEAD + b"content-length: %d\r\n\r\n" % (LIMITS.max_body_bytes + 1))
    assert (status, code, home.app.started) == (413, "request_too_large", [])


def test_a_declared_body_beyond_all_numbers_is_413() -> None:
    assert refused(HEAD + b"content-length: 18446744073709551615\r\n\r\n")[:2] == (413, "request_too_large")


def test_a_client_that_expects_100_continue_is_told_413_instead() -> None:
    assert refused(HEAD + b"expect: 100-continue\r\ncontent-length: 100000\r\n\r\n")[0] == 413


def test_a_chunked_body_of_exactly_the_limit_is_taken() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED + b"10000\r\n" + b"c" * 65_536 + b"\r\n0\r\n\r\n")
            assert len((await client.answer()).body) == 65_536
            assert home.app.reads == 1

    run(main())


def test_a_chunked_body_that_grows_over_the_limit_is_413_and_cancels_the_work() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED + b"10000\r\n" + b"c" * 65_536 + b"\r\n")
            await home.until(lambda: bool(home.app.started))
            client.send(b"1\r\nc\r\n")
            assert (await client.answer()).code == "request_too_large"
            await asyncio.wait_for(home.app.cancelled.wait(), PATIENCE)
            assert home.app.reads <= 1
            await home.empty()

    run(main())


def test_a_client_that_is_still_sending_gets_its_413_and_no_reset() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(HEAD + b"content-length: 8000000\r\n\r\n")
            client.send(b"b" * 8_000_000)
            await asyncio.wait_for(client.writer.drain(), PATIENCE)
            assert (await client.answer()).code == "request_too_large"
            assert await client.rest() == b""

    run(main())


def test_a_client_that_never_stops_sending_is_cut_off() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED)
            with pytest.raises(ConnectionError):
                for _ in range(2 * LINGER_BYTES // 65_536):
                    client.send(b"10000\r\n" + b"c" * 65_536 + b"\r\n")
                    await asyncio.wait_for(client.writer.drain(), PATIENCE)
            await home.empty()

    run(main())


def test_trailers_do_not_become_headers() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED + b"1\r\na\r\n0\r\nauthorization: Bearer x\r\n\r\n")
            assert (await client.answer()).body == b"a"
            assert [name for name, _ in home.app.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]

    run(main())


@pytest.mark.parametrize("piece", [pytest.param(b"x: y\r\n" * 50, id="trailers"), pytest.param(b"x" * 300, id="one trailer")])
def test_trailers_are_held_to_the_size_of_a_head(piece: bytes) -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED + b"1\r\na\r\n0\r\nx: ")
            for _ in range(20):
                client.send(piece)
                await asyncio.sleep(SLOWLY)
            assert (await client.answer()).code == "headers_too_large"

    run(main())


# Forms


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"hello\r\n\r\n", id="no HTTP"),
        pytest.param(b"GET / HTTP/1.1\nhost: a\n\n", id="bare line feeds"),
        pytest.param(b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", id="a space before the colon"),
        pytest.param(b"GET / HTTP/1.1\r\nx: a\r\n b\r\n\r\n", id="a folded header"),
        pytest.param(b"GET / HTTP/1.1\r\nx: a\x00b\r\n\r\n", id="NUL in a header"),
        pytest.param(b"GET /\xff HTTP/1.1\r\n\r\n", id="a path that is not ASCII"),
        pytest.param(b"GET http://a HTTP/1.1\r\n\r\n", id="a URL without a path"),
        pytest.param(b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n", id="CONNECT"),
        pytest.param(b"CONNECT /echo HTTP/1.1\r\nhost: a\r\n\r\n", id="CONNECT to a path"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2 by prior knowledge"),
        pytest.param(CHUNKED + b"xyz\r\n", id="a chunk without a size"),
        pytest.param(CHUNKED + b"ffffffffffffffffff\r\n", id="a chunk beyond all numbers"),
        pytest.param(HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", id="length and chunked"),
        pytest.param(HEAD + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n", id="chunked and length"),
        pytest.param(HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd", id="two lengths"),
        pytest.param(HEAD + b"content-length: 3, 3\r\n\r\nabc", id="a list of lengths"),
        pytest.param(HEAD + b"content-length: -3\r\n\r\nabc", id="a negative length"),
        pytest.param(HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="gzip and chunked"),
        pytest.param(HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n", id="an unknown coding"),
    ],
)
def test_what_is_not_valid_is_400_in_the_envelope(sent: bytes) -> None:
    status, code, home = refused(sent)
    assert (status, code) == (400, "invalid_http")
    assert not home.app.waiting.is_set()


def test_rubbish_behind_a_request_is_answered_in_its_turn() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(post(b"good", b"/hold") + b"rubbish\r\n\r\n")
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            client.send(b"and more of it")
            home.app.release.set()
            assert (await client.answer()).body == b"good"
            assert (await client.answer()).code == "invalid_http"
            assert await client.rest() == b""

    run(main())


def test_rubbish_in_the_body_of_a_waiting_request_leaves_the_one_before_it_alone() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(post(b"good", b"/hold") + CHUNKED + b"xyz\r\n")
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            home.app.release.set()
            assert (await client.answer()).body == b"good"
            assert (await client.answer()).code == "invalid_http"
            assert home.app.started == ["/hold"]

    run(main())


def test_a_body_refused_after_the_answer_began_ends_the_connection_without_a_second_answer() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED.replace(b"/echo", b"/begin"))
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            client.send(b"xyz\r\n")
            assert (await client.rest()).endswith(b"begun\r\n")
            await asyncio.wait_for(home.app.cancelled.wait(), PATIENCE)

    run(main())


def test_a_body_refused_after_the_answer_ended_gets_no_second_answer() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED.replace(b"/echo", b"/early"))
            assert (await client.answer()).status == 401
            client.send(b"xyz\r\n")
            assert await client.rest() == b""

    run(main())
