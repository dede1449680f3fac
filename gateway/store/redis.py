"""The Redis client for state that several processes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.errors import SettingsError

if TYPE_CHECKING:
    from redis.asyncio import Redis

CONNECT_TIMEOUT: Final = 1.0
SOCKET_TIMEOUT: Final = 1.0
MAX_CONNECTIONS: Final = 64


def open_redis(url: str) -> Redis:
    """Return a client for `store.redis`; nothing is connected yet, and redis is imported only here.

    Every wait ends after a second with an error of redis, nothing is tried again: the caller decides what a failure means.
    Raises `SettingsError` where the address cannot work.
    """
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415  # a tenth of a second, only where configured
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=SOCKET_TIMEOUT,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=SOCKET_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            client_name="gatehouse",
            driver_info=None,  # else each new connection looks redis' version up on disk, on the event loop
            protocol=2,
        )
    except ValueError:  # its text quotes the address, password included
        raise SettingsError("store.redis: not an address; write 'redis://host:6379/0', or 'rediss://' for TLS") from None
    return Redis.from_pool(pool)
