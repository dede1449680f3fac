"""No unrecorded answer: what the pipeline enters in the log, and what it does not do before that is durable."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import ClientError, Unavailable, UpstreamFailed
from tests.test_pipeline import run
from tests.world import CHUNKS, HELLO, STREAM, WHOLE, World

BODIES = pytest.mark.parametrize("body", [HELLO, STREAM], ids=["plain", "stream"])


def world(body: bytes, **how: str) -> World:
    return World(CHUNKS if body is STREAM else [[WHOLE]], **how)  # type: ignore[arg-type]


@BODIES
def test_an_exchange_is_one_begin_and_one_end(body: bytes) -> None:
    here = world(body)
    run(lambda: _asked(here, body))
    assert here.log.entered == ["begin", "begin is durable", "end complete"]


async def _asked(here: World, body: bytes) -> None:
    await here.ask(body)


@BODIES
def test_nothing_is_dispatched_before_the_begin_is_durable(body: bytes) -> None:
    here = world(body, place="begin")

    async def test() -> None:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(here.ask(body))
            await here.gate.reached.wait()
            assert not here.upstream.calls
            here.gate.open.set()
        assert asked.result()

    run(test)


@pytest.mark.parametrize("step", ["begin", "begin is durable"])
@BODIES
def test_a_log_that_fails_before_dispatch_refuses_and_nothing_is_dispatched(body: bytes, step: str) -> None:
    here = world(body)
    here.log.fails_at = step

    async def test() -> None:
        with pytest.raises(Unavailable) as error:
            await here.ask(body)
        assert error.value.code == "audit_unavailable"
        assert not here.upstream.calls

    run(test)


def test_a_log_that_fails_at_the_end_withholds_a_whole_answer() -> None:
    here = world(HELLO)
    here.log.fails_at = "end"

    async def test() -> None:
        with pytest.raises(Unavailable):
            await here.ask(HELLO)

    run(test)
    assert here.exchange.handed_over == 0
    assert (here.exchange.result, here.exchange.error) == ("failed", "audit_unavailable")


def test_a_log_that_fails_at_the_end_ends_a_stream_without_its_done() -> None:
    here = world(STREAM)
    here.log.fails_at = "end"
    pieces: list[bytes] = []

    async def test() -> None:
        with pytest.raises(Unavailable):
            async for piece in here.pieces(STREAM):
                pieces.append(piece)  # noqa: PERF401  # what came before the error counts

    run(test)
    assert pieces
    assert b"done" not in b"".join(pieces)


@BODIES
def test_the_last_piece_waits_for_the_end_entry(body: bytes) -> None:
    here = world(body, place="end")
    pieces: list[bytes] = []

    async def read() -> None:
        async for piece in here.pieces(body):
            pieces.append(piece)  # noqa: PERF401  # seen while it goes on

    async def test() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            await here.gate.reached.wait()
            assert len(pieces) == (2 if body is STREAM else 0)
            assert here.exchange.handed_over == sum(map(len, pieces))
            here.gate.open.set()
        assert len(pieces) == (3 if body is STREAM else 1)
        assert here.exchange.evidence.delivered.data == b"".join(pieces)

    run(test)


@pytest.mark.parametrize("place", ["begin", "upstream", "after batch 0", "end"])
def test_a_client_that_goes_leaves_an_end_behind(place: str) -> None:
    here = world(STREAM, place=place)

    async def test() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(here.ask(STREAM))
            await here.gate.reached.wait()
            task.cancel()

    run(test)
    # At the last step the answer is complete and its end already on the way.
    assert here.log.entered[-1] == ("begin is durable" if place == "end" else "end cancelled")


def test_a_failure_is_entered_before_it_is_told() -> None:
    here = World(UpstreamFailed("no"))

    async def test() -> None:
        with pytest.raises(UpstreamFailed):
            await here.ask()
        assert here.log.entered == ["begin", "begin is durable", "end failed"]

    run(test)


@pytest.mark.parametrize(
    ("how", "entered"),
    [
        ({"credential": "bad"}, "refusal invalid_api_key"),
        ({"body": b"{"}, "refusal invalid_json"),
        ({"body": HELLO.replace(b"chat", b"closed")}, "refusal route_not_allowed"),
        ({"body": HELLO.replace(b"chat", b"other")}, "refusal model_not_found"),
    ],
)
def test_what_is_refused_before_it_began_is_entered_as_a_refusal(how: dict[str, bytes], entered: str) -> None:
    here = world(HELLO)

    async def test() -> None:
        with pytest.raises(ClientError):
            await here.ask(**how)  # type: ignore[arg-type]
        assert here.log.entered == [entered]
        here.log.fails_at = "refusal"
        with pytest.raises(ClientError) as error:
            await here.ask(**how)  # type: ignore[arg-type]
        assert error.value.code != "audit_unavailable"

    run(test)


def test_a_repeat_is_an_exchange_of_its_own_without_a_dispatch() -> None:
    here = world(HELLO)

    async def test() -> None:
        await here.ask(key="once")
        await here.ask(key="once")

    run(test)
    assert here.log.entered == ["begin", "begin is durable", "end complete", "begin", "end complete"]
