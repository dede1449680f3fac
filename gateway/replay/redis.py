"""Idempotency keys in Redis: for several workers and machines.

Every operation is one script on one key, so that it is atomic and works in a cluster. A Redis that loses its data forgets its
keys: give it persistence where that matters, and `maxmemory-policy noeviction`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from gateway.errors import Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster
    from redis.commands.core import AsyncScript

PREFIX = "gatehouse:replay:"
TIMEOUT = 1.0
RETRY_AFTER = 5.0

TAKE = """
local held = redis.call('GET', KEYS[1])
if not held then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return held
"""

PUT = """
local held = redis.call('GETRANGE', KEYS[1], 0, #ARGV[2] - 1)
if held ~= '' and held ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1
"""

DROP = """
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
"""


class RedisStore:
    """Keeps keys in Redis; see `gateway.replay.contract.Store`.

    `client` gives bytes, not text. Each operation ends after `timeout` seconds; an error of Redis is `Unavailable`, so that only
    requests with a key feel it.
    """

    def __init__(self, client: Redis | RedisCluster, *, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._take = client.register_script(TAKE)
        self._put = client.register_script(PUT)
        self._drop = client.register_script(DROP)

    async def take(self, name: str, value: bytes, *, ttl: float) -> bytes | None:
        """Put a value under a free name and return None, or return what is there."""
        held = await self._run(self._take, name, value, _milliseconds(ttl))
        return held if isinstance(held, bytes) else None

    async def put(self, name: str, value: bytes, *, owner: bytes, ttl: float) -> bool:
        """Put a value under a name that is free, or whose value begins with `owner`; return whether it was."""
        return await self._run(self._put, name, value, owner, _milliseconds(ttl)) == 1

    async def drop(self, name: str, *, owner: bytes) -> None:
        """Free a name whose value begins with `owner`."""
        await self._run(self._drop, name, owner)

    async def _run(self, script: AsyncScript, name: str, *arguments: bytes | int) -> object:
        try:
            async with asyncio.timeout(self._timeout):
                return await script(keys=[PREFIX + name], args=arguments)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(
                "Idempotency keys cannot be checked now; send the request later.",
                code="idempotency_unavailable",
                retry_after=RETRY_AFTER,
                reason=type(error).__name__,
            ) from error


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
