"""The Redis client fails fast, tries once, and costs nothing where it is not configured."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.errors import SettingsError
from gateway.store.redis import open_redis


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Start a Redis for this test alone."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis' server is missing: install the package 'redis-server'.")
    place = tmp_path / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "ready to accept connections" in line.lower())
        yield f"unix://{place}"
        process.terminate()
        process.communicate(timeout=10)


class Silent:
    """A server that accepts, says nothing, and counts who came."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self.socket.getsockname()[1]}/0"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.connections.append(self.socket.accept()[0])

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join()
        for connection in self.connections:
            connection.close()


async def set_and_get(url: str) -> object:
    async with open_redis(url) as client:
        await client.set("a", b"\xff")
        return await client.get("a")


def test_what_is_set_is_read_back_as_bytes(address: str) -> None:
    assert asyncio.run(set_and_get(address)) == b"\xff"


def test_answers_are_parsed_by_hiredis(address: str) -> None:
    async def parser() -> str:
        async with open_redis(address) as client:
            await client.ping()
            connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            try:
                return type(connection._parser).__name__
            finally:
                await client.connection_pool.release(connection)

    assert asyncio.run(parser()) == "_AsyncHiredisParser"


def test_a_redis_that_is_not_there_fails_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(RedisConnectionError):
        asyncio.run(set_and_get("redis://127.0.0.1:1/0"))
    assert time.monotonic() - started < 1


def test_a_redis_that_says_nothing_is_given_one_second_and_one_try() -> None:
    silent = Silent()
    started = time.monotonic()
    try:
        with pytest.raises(RedisTimeoutError):
            asyncio.run(set_and_get(silent.address))
        took = time.monotonic() - started
        assert len(silent.connections) == 1
    finally:
        silent.close()
    assert 0.9 < took < 3


def test_waiting_for_a_free_connection_ends(address: str) -> None:
    async def exhaust() -> None:
        async with open_redis(address) as client:
            pool = client.connection_pool
            taken = [await pool.get_connection() for _ in range(pool.max_connections)]  # type: ignore[no-untyped-call]
            try:
                await client.ping()
            finally:
                for connection in taken:
                    await pool.release(connection)

    with pytest.raises(RedisError):
        asyncio.run(exhaust())


@pytest.mark.parametrize("url", ["", "127.0.0.1:6379", "http://u:s3cret@host", "redis://:s3cret@host:port/0"])
def test_a_wrong_address_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^store\.redis: ") as caught:
        open_redis(url)
    assert "s3cret" not in str(caught.value)


def test_redis_is_not_loaded_until_it_is_opened() -> None:
    program = "import sys, gateway.store.redis; raise SystemExit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
