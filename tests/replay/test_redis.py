"""Redis that is down, stuck or restarted refuses requests with a key, and answers again when it is back."""

from __future__ import annotations

import asyncio
import signal
import subprocess

import pytest

from gateway.errors import Unavailable
from gateway.replay.redis import PREFIX, RedisStore
from tests.replay.places import connect

RUNNING = b"R" + bytes(48)


async def take(place: str, *, patience: float = 5) -> bytes | None:
    async with connect(place) as client:
        return await RedisStore(client, timeout=patience).take("n", RUNNING, ttl=60)


def test_a_redis_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable) as caught:
        asyncio.run(take("/nowhere/redis.sock"))
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (503, "idempotency_unavailable", 5.0)


def test_a_redis_that_is_stuck_is_unavailable_in_time(private_redis: tuple[str, subprocess.Popen[str]]) -> None:
    place, process = private_redis
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            asyncio.run(asyncio.wait_for(take(place, patience=0.2), 5))
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_redis_that_was_killed_is_unavailable(private_redis: tuple[str, subprocess.Popen[str]]) -> None:
    place, process = private_redis

    async def story() -> None:
        async with connect(place) as client:
            store = RedisStore(client)
            assert await store.take("n", RUNNING, ttl=60) is None
            process.kill()
            await asyncio.to_thread(process.wait)
            for operation in (
                store.take("n", RUNNING, ttl=60),
                store.put("n", b"K", owner=b"R", ttl=60),
                store.drop("n", owner=b"R"),
            ):
                with pytest.raises(Unavailable):
                    await operation

    asyncio.run(story())


def test_scripts_that_a_restarted_redis_has_forgotten_are_sent_again(redis_socket: str) -> None:
    async def story() -> list[bytes | None]:
        async with connect(redis_socket) as client:
            await client.flushall()
            store = RedisStore(client)
            first = await store.take("n", RUNNING, ttl=60)
            await client.script_flush()
            return [first, await store.take("n", RUNNING, ttl=60)]

    assert asyncio.run(story()) == [None, RUNNING]


def test_every_name_is_one_key_with_an_end(redis_socket: str) -> None:
    async def story() -> None:
        async with connect(redis_socket) as client:
            await client.flushall()
            store = RedisStore(client)
            await store.take("n", RUNNING, ttl=60)
            assert 0 < await client.pttl(PREFIX + "n") <= 60_000
            assert await store.put("n", b"K" + bytes(50), owner=RUNNING[:17], ttl=3600)
            assert 60_000 < await client.pttl(PREFIX + "n") <= 3_600_000
            assert await client.keys() == [f"{PREFIX}n".encode()]
            await store.take("short", RUNNING, ttl=0.0001)
            assert await client.pttl(PREFIX + "short") <= 1

    asyncio.run(story())


def test_a_value_that_is_no_string_of_ours_is_unavailable_not_a_crash(redis_socket: str) -> None:
    async def story() -> None:
        async with connect(redis_socket) as client:
            await client.flushall()
            await client.lpush(PREFIX + "n", "x")
            with pytest.raises(Unavailable):
                await RedisStore(client).take("n", RUNNING, ttl=60)

    asyncio.run(story())
