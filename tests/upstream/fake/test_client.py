"""In process the fake keeps the promises of `gateway.http.contract` as a client on a network does."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from gateway.http.contract import HttpBroken, HttpClient, HttpLimits, HttpRequest, HttpTimeout
from gateway.upstream.fake.client import FakeClient
from tests.upstream.fake.asking import PATIENT, body_of, fake, send

STREAM = "#fake chunks=50 gap=0.001"


def request(content: str, **fields: object) -> HttpRequest:
    return HttpRequest("POST", "/chat/completions", {}, body_of(content, **fields))


def now() -> float:
    return asyncio.get_running_loop().time()


def test_it_is_a_client() -> None:
    client: HttpClient = FakeClient()
    asyncio.run(client.close())


def test_a_body_is_read_whole_or_in_reads() -> None:
    async def story() -> tuple[bytes, list[bytes]]:
        client = fake()
        async with client.send(request("hi", stream=True), deadline=now() + 10) as response:
            whole = await response.read()
        async with client.send(request("hi", stream=True), deadline=now() + 10) as response:
            return whole, [data async for data in response.reads()]

    whole, reads = asyncio.run(story())
    assert len(reads) == 4
    assert whole.replace(b"00000001", b"00000002") == b"".join(reads)


@pytest.mark.parametrize(("line", "limits"), [("delay=30", HttpLimits(first_byte=0.05)), ("delay=30", PATIENT)])
def test_a_head_that_is_late_times_out_after_really_waiting(line: str, limits: HttpLimits) -> None:
    async def story() -> float:
        client = fake(limits=limits)
        started = now()
        with pytest.raises(HttpTimeout):
            async with client.send(request(f"#fake {line}"), deadline=started + 0.1):
                pass
        assert client.served[-1].outcome == "aborted"
        return now() - started

    assert min(limits.first_byte, 0.1) <= asyncio.run(story()) < 5


@pytest.mark.parametrize(("idle", "deadline"), [(0.05, 20.0), (20.0, 0.1)])
def test_silence_in_mid_stream_times_out_after_really_waiting(idle: float, deadline: float) -> None:
    async def story() -> tuple[float, int]:
        client = fake(limits=HttpLimits(idle=idle))
        started, reads = now(), 0
        with pytest.raises(HttpTimeout):
            async with client.send(request("#fake fault=hang-mid-answer", stream=True), deadline=started + deadline) as response:
                async for _ in response.reads():
                    reads += 1
        return now() - started, reads

    took, reads = asyncio.run(story())
    assert min(idle, deadline) <= took < 5
    assert reads == 3


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    async def story() -> int:
        client = fake()
        with pytest.raises(HttpTimeout):
            async with client.send(request("hi"), deadline=now()):
                pass
        return client.ledger.totals.requests

    assert asyncio.run(story()) == 0


def test_the_deadline_holds_although_something_always_arrives() -> None:
    async def story() -> None:
        started = now()
        async with fake().send(request("#fake fault=trickle gap=0.01", stream=True), deadline=started + 0.1) as response:
            await response.read()

    with pytest.raises(HttpTimeout):
        asyncio.run(story())


def test_the_deadline_holds_although_the_reader_is_slow() -> None:
    async def story() -> None:
        started = now()
        async with fake().send(request("hi", stream=True), deadline=started + 0.1) as response:
            async for _ in response.reads():
                await asyncio.sleep(0.2)

    with pytest.raises(HttpTimeout):
        asyncio.run(story())


def test_time_that_the_reader_takes_is_not_idle_time() -> None:
    async def story() -> int:
        reads = 0
        client = fake(limits=HttpLimits(idle=0.05))
        async with client.send(request("hi", stream=True), deadline=now() + 20) as response:
            async for _ in response.reads():
                reads += 1
                await asyncio.sleep(0.06)
        return reads

    assert asyncio.run(story()) == 4


def test_gaps_are_waited_for() -> None:
    async def story() -> float:
        started = now()
        await send(fake(), body_of("#fake chunks=4 gap=0.02", stream=True))
        return now() - started

    assert asyncio.run(story()) >= 6 * 0.02


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_longer_than_allowed_breaks(stream: bool) -> None:  # a case, not an option
    async def story() -> int:
        client = fake(limits=HttpLimits(max_answer_bytes=100))
        got = 0
        with pytest.raises(HttpBroken):
            async with client.send(request("#fake chunks=100", stream=stream), deadline=now() + 20) as response:
                async for data in response.reads():
                    got += len(data)
        return got

    assert asyncio.run(story()) <= 100


def test_a_client_that_leaves_in_mid_stream_is_seen_at_once() -> None:
    async def story() -> None:
        client = fake()
        async with client.send(request(STREAM, stream=True), deadline=now() + 20) as response:
            async with aclosing(response.reads()) as reads:  # type: ignore[type-var]  # an async generator, here
                await anext(reads)
                await anext(reads)
            assert client.ledger.totals.running == 1
        served = client.served[-1]
        assert (served.outcome, served.completion_tokens, client.ledger.totals.running) == ("aborted", 1, 0)

    asyncio.run(story())


@pytest.mark.parametrize("line", ["delay=30", "fault=hang-before-head", "fault=hang-after-head", "fault=hang-mid-answer"])
def test_a_client_that_is_cancelled_is_seen_at_once(line: str) -> None:
    async def story() -> str:
        client = fake(limits=HttpLimits(first_byte=60, idle=60))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(send(client, body_of(f"#fake {line}", stream=True)))
            for _ in range(20):
                await asyncio.sleep(0)
            assert client.ledger.totals.running == 1
            task.cancel()
        return client.served[-1].outcome

    assert asyncio.run(story()) == "aborted"


def test_a_whole_body_counts_as_served_although_it_is_not_read() -> None:
    async def story() -> str:
        client = fake()
        async with client.send(request("hi"), deadline=now() + 20):
            pass
        return client.served[-1].outcome

    assert asyncio.run(story()) == "complete"


def test_a_long_stream_does_not_hold_up_the_loop() -> None:
    async def story() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            counting = group.create_task(count())
            await send(fake(), body_of("#fake chunks=500", stream=True, max_tokens=500))
            counting.cancel()
        return turns

    assert asyncio.run(story()) >= 500


def test_paths_that_are_not_completions_are_not_entered() -> None:
    async def story() -> tuple[int, int]:
        client = fake()
        async with client.send(HttpRequest("GET", "/models", {}), deadline=now() + 20) as response:
            assert b'"fake"' in await response.read()
        async with client.send(HttpRequest("GET", "/health", {}), deadline=now() + 20) as response:
            return response.status, client.ledger.totals.requests

    assert asyncio.run(story()) == (200, 0)
