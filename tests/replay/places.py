"""Where idempotency keys are kept, each with a way to let time pass: the contract's tests run on every one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.replay.contract import Store
from gateway.replay.memory import MemoryStore
from gateway.replay.redis import RedisStore


@dataclass(frozen=True)
class Place:
    """An empty store, and how to let seconds pass there."""

    store: Store
    pass_time: Callable[[float], Awaitable[None]]


Open = Callable[[], AbstractAsyncContextManager[Place]]


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds


@asynccontextmanager
async def in_memory() -> AsyncIterator[Place]:
    clock = Clock()
    yield Place(MemoryStore(clock=clock), clock.pass_time)


def connect(socket: str) -> Redis:
    """Return a client that tries once; without driver_info, for which redis-py reads a file with every connection."""
    retry = Retry(NoBackoff(), 0)
    pool = BlockingConnectionPool.from_url(f"unix://{socket}", max_connections=32, retry=retry, protocol=2, driver_info=None)
    return Redis.from_pool(pool)


@asynccontextmanager
async def in_redis(socket: str) -> AsyncIterator[Place]:
    """Redis keeps its own time: what would have expired is deleted, the rest expires sooner."""
    async with connect(socket) as client:
        await client.flushall()

        async def pass_time(seconds: float) -> None:
            async for name in client.scan_iter():
                left = await client.pttl(name) - round(seconds * 1000)
                await (client.pexpire(name, left) if left > 0 else client.delete(name))

        yield Place(RedisStore(client, timeout=30), pass_time)
