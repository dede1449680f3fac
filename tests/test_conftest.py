"""The fixtures that every test runs under do what they say."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from blockbuster import BlockingError

import gateway
from tests import conftest

SAMPLE = """
import asyncio

def content(path):
    with open(path, "rb") as file:
        return file.read()

async def read(path):
    return content(path)

async def read_in_thread(path):
    return await asyncio.to_thread(content, path)

async def wait_for(lock):
    lock.acquire(timeout=0.001)
"""


@pytest.fixture
def product() -> ModuleType:
    """Code that lies, for the detector, in the gateway's own folder."""
    module = ModuleType("sample")
    exec(compile(SAMPLE, str(Path(gateway.__path__[0]) / "sample.py"), "exec"), module.__dict__)  # noqa: S102 — it is above
    return module


def test_blocking_the_loop_from_the_product_is_an_error(product: ModuleType) -> None:
    with pytest.raises(BlockingError):
        asyncio.run(product.read(__file__))


def test_blocking_in_a_thread_is_fine(product: ModuleType) -> None:
    assert asyncio.run(product.read_in_thread(__file__)).startswith(b'"""')


def test_a_contended_lock_is_left_to_the_tests_of_its_owner(product: ModuleType) -> None:
    lock = threading.Lock()
    with lock:
        asyncio.run(product.wait_for(lock))


def test_blocking_the_loop_from_a_test_is_allowed() -> None:
    async def read() -> bytes:
        return Path(__file__).read_bytes()  # noqa: ASYNC240 — that is the point

    assert asyncio.run(read())


def test_no_setting_comes_from_the_environment_that_tests_run_in() -> None:
    assert {name for name in os.environ if name.startswith("GATEHOUSE_")} <= {"GATEHOUSE_OFFLINE"}


def test_processes_that_tests_start_do_not_ignore_an_interrupt() -> None:
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("reason", "required", "outcome"),
    [
        ("Redis' server is missing: install the package 'redis-server'.", "", "skipped"),
        ("Redis' server is missing: install the package 'redis-server'.", "1", "failed"),
        ("no GPU here", "1", "skipped"),
    ],
)
def test_a_missing_engine_skips_here_and_fails_in_ci(
    reason: str, required: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUIRE_ENGINES", required)
    report = pytest.TestReport("test_it", ("", 0, ""), {}, outcome="skipped", longrepr=("", 1, reason), when="setup")
    hook = conftest.pytest_runtest_makereport()
    next(hook)
    with pytest.raises(StopIteration) as end:
        hook.send(report)
    assert end.value.value.outcome == outcome
