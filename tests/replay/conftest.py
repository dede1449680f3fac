"""A Redis of each test process alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.replay.places import Open, in_memory, in_redis


@contextmanager
def serving_redis(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a Redis that keeps nothing on disk; gives its socket, which no other process can take, and the process."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis' server is missing: install the package 'redis-server'.")
    place = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("ready to accept connections" in line.lower() for line in process.stdout)
            yield str(place), process
        finally:
            process.kill()
            process.communicate(timeout=10)


@pytest.fixture(scope="session")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one Redis for the tests of this process and give its socket."""
    with serving_redis(tmp_path_factory.mktemp("redis")) as (place, _process):
        yield place


@pytest.fixture
def private_redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a Redis that a test may kill."""
    with serving_redis(tmp_path) as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
def place(request: pytest.FixtureRequest) -> Open:
    """Every store in turn, empty."""
    if request.param == "memory":
        return in_memory
    return partial(in_redis, request.getfixturevalue("redis_socket"))
