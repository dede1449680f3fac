"""The door's deadlines: nobody who is slow, silent or gone holds a connection, memory or work."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.api.house import LIMITS, PATIENCE, Client, House, house, run

GET = b"GET /echo HTTP/1.1\r\nhost: a\r\n\r\n"
CHUNKED = b"POST %s HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
SHORT = 0.4
"""Seconds of the deadline that a test is about; the others are long."""
LATE = 2.0
"""Seconds that a busy machine may add."""

SHORT_HEAD = replace(LIMITS, header_timeout=SHORT)
SHORT_BODY = replace(LIMITS, body_timeout=SHORT)
SHORT_IDLE = replace(LIMITS, idle_timeout=SHORT)


def seconds_until_closed(since: float) -> float:
    return monotonic() - since


# Heads


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nhost: a\r\n", b"\r\n"])
def test_a_head_that_does_not_come_is_408_at_its_deadline(sent: bytes) -> None:
    async def main() -> None:
        async with house(SHORT_HEAD) as home, home.client() as client:
            client.send(sent)
            assert (await client.answer()).code == "request_timeout"
            assert await client.rest() == b""
            assert SHORT / 2 < seconds_until_closed(client.opened) < SHORT + LATE

    run(main())


@pytest.mark.parametrize("piece", [b"a", b"x: y\r\n", b"\r\n"])
def test_a_head_that_dribbles_has_no_more_time(piece: bytes) -> None:
    async def main() -> None:
        async with house(SHORT_HEAD) as home, home.client() as client:
            client.send(b"GET / HTTP/1.1\r\n" if piece != b"\r\n" else b"")
            async with client.dribbling(piece, SHORT / 10):
                assert (await client.answer()).code == "request_timeout"
                await home.empty()
            assert seconds_until_closed(client.opened) < SHORT + LATE

    run(main())


def test_each_head_of_a_connection_has_its_own_deadline() -> None:
    async def main() -> None:
        async with house(SHORT_HEAD) as home, home.client() as client:
            client.send(GET)
            assert (await client.answer()).status == 200
            await asyncio.sleep(2 * SHORT)  # idle, which is not what the deadline is for
            begun = monotonic()
            client.send(GET[:10])
            assert (await client.answer()).code == "request_timeout"
            assert seconds_until_closed(begun) < SHORT + LATE

    run(main())


def test_a_head_that_dribbles_behind_a_running_request_is_408_in_its_turn() -> None:
    async def main() -> None:
        async with house(SHORT_HEAD) as home, home.client() as client:
            client.send(CHUNKED % b"/hold" + b"0\r\n\r\n")
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            client.send(GET[:10])
            await asyncio.sleep(2 * SHORT)
            assert not home.app.cancelled.is_set()
            home.app.release.set()
            assert (await client.answer()).status == 200
            assert (await client.answer()).code == "request_timeout"

    run(main())


# Bodies


def test_a_body_that_dribbles_is_408_though_the_app_is_waiting_for_it() -> None:
    async def main() -> None:
        async with house(SHORT_BODY) as home, home.client() as client:
            client.send(CHUNKED % b"/echo")
            begun = monotonic()
            async with client.dribbling(b"1\r\na\r\n", SHORT / 10):
                assert (await client.answer()).code == "request_timeout"
            assert seconds_until_closed(begun) < SHORT + LATE
            await asyncio.wait_for(home.app.cancelled.wait(), PATIENCE)
            assert home.refused == ["request_timeout"]
            await home.empty()

    run(main())


def test_a_body_that_dribbles_wakes_a_handler_that_cannot_be_cancelled() -> None:
    async def main() -> None:
        async with house(SHORT_BODY) as home, home.client() as client:
            client.send(CHUNKED % b"/watch")
            assert (await client.answer()).code == "request_timeout"
            await asyncio.wait_for(home.app.disconnected.wait(), PATIENCE)

    run(main())


def test_a_body_that_dribbles_does_not_wake_the_app_for_each_piece() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED % b"/echo")
            for _ in range(10):
                client.send(b"1\r\na\r\n")
                await asyncio.sleep(SHORT / 100)
            client.send(b"0\r\n\r\n")
            assert (await client.answer()).body == b"a" * 10
            assert home.app.reads == 1

    run(main())


def test_the_body_of_a_request_that_was_answered_early_has_a_deadline_too() -> None:
    async def main() -> None:
        async with house(SHORT_BODY) as home, home.client() as client:
            client.send(CHUNKED % b"/early")
            assert (await client.answer()).status == 401
            async with client.dribbling(b"1\r\na\r\n", SHORT / 10):
                assert await client.rest() == b""
            assert seconds_until_closed(client.opened) < SHORT + LATE

    run(main())


async def hold_one_and_begin_another(home: House, client: Client) -> None:
    """Have a request that runs, and the first part of one behind it, so large that the door stops reading."""
    client.send(CHUNKED % b"/hold" + b"0\r\n\r\n")
    await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
    client.send(CHUNKED % b"/echo" + b"186a0\r\n" + b"b" * 100_000 + b"\r\n")
    await asyncio.sleep(2 * SHORT)
    home.app.release.set()
    assert (await client.answer()).status == 200


def test_a_request_that_has_to_wait_does_not_pay_for_the_one_before_it() -> None:
    async def main() -> None:
        async with house(replace(SHORT_BODY, max_body_bytes=200_000)) as home, home.client() as client:
            await hold_one_and_begin_another(home, client)
            client.send(b"0\r\n\r\n")
            assert len((await client.answer()).body) == 100_000

    run(main())


def test_a_request_that_had_to_wait_has_its_deadline_once_it_is_its_turn() -> None:
    async def main() -> None:
        async with house(replace(SHORT_BODY, max_body_bytes=200_000)) as home, home.client() as client:
            await hold_one_and_begin_another(home, client)
            begun = monotonic()
            assert (await client.answer()).code == "request_timeout"
            assert SHORT / 2 < seconds_until_closed(begun) < SHORT + LATE

    run(main())


# Silence


def test_an_idle_connection_is_closed_without_a_word() -> None:
    async def main() -> None:
        async with house(SHORT_IDLE) as home, home.client() as client:
            client.send(GET)
            assert (await client.answer()).status == 200
            begun = monotonic()
            assert await client.rest() == b""
            assert SHORT / 2 < seconds_until_closed(begun) < SHORT + LATE
            assert home.refused == []

    run(main())


def test_a_connection_is_idle_again_after_a_body_that_came_later_than_its_answer() -> None:
    async def main() -> None:
        async with house(SHORT_IDLE) as home, home.client() as client:
            client.send(CHUNKED % b"/early")
            assert (await client.answer()).status == 401
            client.send(b"0\r\n\r\n")
            assert await client.rest() == b""
            assert home.refused == []

    run(main())


def test_a_running_request_is_not_idle() -> None:
    async def main() -> None:
        limits = replace(LIMITS, header_timeout=SHORT, body_timeout=SHORT, idle_timeout=SHORT)
        async with house(limits) as home, home.client() as client:
            client.send(CHUNKED % b"/hold" + b"0\r\n\r\n")
            await asyncio.sleep(3 * SHORT)
            home.app.release.set()
            assert (await client.answer()).status == 200

    run(main())


# Readers


def test_a_client_that_does_not_take_its_answer_is_cut_off_and_holds_little_memory() -> None:
    async def main() -> None:
        async with house(SHORT_IDLE) as home, home.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(CHUNKED % b"/flood" + b"0\r\n\r\n")
            await home.until(lambda: home.app.flooded > 0)
            door = home.door
            most = 0
            async with asyncio.timeout(PATIENCE):
                while not home.app.cancelled.is_set():
                    most = max(most, door.transport.get_write_buffer_size())
                    await asyncio.sleep(SHORT / 100)
            assert 0 < most < 200_000
            await home.empty()

    run(main())


def test_a_client_that_takes_its_answer_slowly_is_not_cut_off() -> None:
    async def main() -> None:
        async with house(SHORT_IDLE) as home, home.client() as client:
            client.send(CHUNKED % b"/flood" + b"0\r\n\r\n")
            ends = monotonic() + 3 * SHORT
            while monotonic() < ends:
                assert await client.some()
                await asyncio.sleep(SHORT / 100)
            assert not home.app.cancelled.is_set()

    run(main())


def test_a_whole_answer_that_is_not_taken_does_not_hold_its_connection() -> None:
    async def main() -> None:
        limits = replace(SHORT_IDLE, max_body_bytes=33_554_432)
        async with house(limits) as home, home.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(b"POST /close HTTP/1.1\r\nhost: a\r\ncontent-length: 33554432\r\n\r\n" + bytes(33_554_432))
            await home.until(lambda: home.app.started == ["/close"] and not home.state.tasks)
            await home.empty()

    run(main())


def test_a_broken_answer_that_is_not_taken_does_not_hold_its_connection() -> None:
    async def main() -> None:
        async with house(SHORT_IDLE) as home, home.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(CHUNKED % b"/broken" + b"0\r\n\r\n")
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            # So much fits in the buffer that its limit, which has a deadline of its own, is not what ends it.
            home.door.transport.set_write_buffer_limits(high=1_000_000_000)
            home.app.release.set()
            await home.until(lambda: not home.state.tasks)
            await home.empty()

    run(main())


def test_a_body_that_has_to_wait_is_not_read_beyond_what_may_be_kept() -> None:
    async def main() -> None:
        async with house(replace(LIMITS, max_body_bytes=50_000_000)) as home, home.client() as client:
            client.send(CHUNKED % b"/hold" + b"0\r\n\r\n" + CHUNKED % b"/echo")
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            client.send((b"10000\r\n" + bytes(65_536) + b"\r\n") * 300)
            door = home.door
            await home.until(lambda: door.flow.read_paused)
            assert len(door.cycle.body) < 500_000
            home.app.release.set()
            assert (await client.answer()).status == 200
            client.send(b"0\r\n\r\n")
            assert len((await client.answer()).body) == 300 * 65_536

    run(main())


# The gone


def test_a_client_that_has_said_all_and_takes_nothing_cancels_its_work_at_once() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(CHUNKED % b"/flood" + b"0\r\n\r\n")
            await home.until(lambda: home.app.flooded > 0 and home.door.flow.write_paused)
            client.leave("half-close")
            await asyncio.wait_for(home.app.cancelled.wait(), 1.0)

    run(main())


@pytest.mark.parametrize("goodbye", ["close", "half-close", "reset"])
def test_a_client_that_is_gone_cancels_its_work_within_a_second(goodbye: str) -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED % b"/hold" + b"0\r\n\r\n")
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            client.leave(goodbye)
            await asyncio.wait_for(home.app.cancelled.wait(), 1.0)
            await home.empty()

    run(main())


def test_a_client_that_is_gone_does_not_cancel_a_handler_that_did_not_ask_for_it() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED % b"/watch" + b"0\r\n\r\n")
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            client.leave("close")
            await asyncio.wait_for(home.app.disconnected.wait(), 1.0)
            assert not home.app.cancelled.is_set()

    run(main())


def test_a_client_that_leaves_after_its_answer_cancels_nothing() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(GET)
            assert (await client.answer()).status == 200
            client.leave("reset")
            await home.empty()
            assert not home.app.cancelled.is_set()

    run(main())


def test_a_client_that_is_gone_cancels_the_running_request_though_another_one_waits() -> None:
    async def main() -> None:
        async with house() as home, home.client() as client:
            client.send(CHUNKED % b"/hold" + b"0\r\n\r\n" + CHUNKED % b"/echo" + b"0\r\n\r\n")
            await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
            door = home.door
            door.transport.abort()
            await asyncio.wait_for(home.app.cancelled.wait(), 1.0)
            await home.empty()
            assert home.app.started == ["/hold"]

    run(main())


async def large_body_then_gone(home: House, client: Client) -> None:
    """Send a body above uvicorn's mark for pausing, all at once, and leave."""
    client.send(b"POST /hold HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n" + bytes(200_000))
    await asyncio.wait_for(home.app.waiting.wait(), PATIENCE)
    client.leave("close")


def test_a_client_that_is_gone_is_noticed_after_a_large_body_too() -> None:
    async def main() -> None:
        async with house(replace(LIMITS, max_body_bytes=1_000_000)) as home, home.client() as client:
            await large_body_then_gone(home, client)
            await asyncio.wait_for(home.app.cancelled.wait(), 1.0)

    run(main())


def test_control_uvicorn_waits_for_a_client_that_is_gone() -> None:
    async def main() -> None:
        async with house(protocol=HttpToolsProtocol) as home, home.client() as client:
            await large_body_then_gone(home, client)
            await asyncio.sleep(1.0)
            assert not home.app.disconnected.is_set()
            assert home.state.connections

    run(main())
