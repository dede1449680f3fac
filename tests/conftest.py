"""What every test runs under: a detector of blocked event loops, repeatable hypothesis, an environment that sets nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where REQUIRE_ENGINES is set, as in CI, a test that skips because a server is not installed has failed."""
    report = yield
    if report.skipped and "install the package" in str(report.longrepr) and os.environ.get("REQUIRE_ENGINES"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session", autouse=True)
def blocked_loops() -> Iterator[None]:
    """Raise `blockbuster.BlockingError` where gateway or guards block a running event loop: files, sockets, SQLite, sleep.

    Locks are left out: whether one is contended at that moment is chance, and a check that fails by chance says nothing.
    """
    with blockbuster_ctx(["gateway", "guards"]) as detector:
        for name, function in detector.functions.items():
            if name.startswith("threading."):
                function.deactivate()
        yield


@pytest.fixture(scope="session", autouse=True)
def bare_environment() -> Iterator[None]:
    """Take the variables that would change settings or routes of traffic out of this process and its children."""
    given = {name: value for name, value in os.environ.items() if _changes_behaviour(name)}
    for name in given:
        del os.environ[name]
    yield
    os.environ.update(given)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let Ctrl-C reach the processes that tests start: a shell that runs the tests in the background has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _changes_behaviour(name: str) -> bool:
    if name == "GATEHOUSE_OFFLINE":  # asks tests to install nothing
        return False
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    return name.startswith("GATEHOUSE_") or name in {"UPSTREAM", "UPSTREAM_API_KEY"} or name.lower() in proxies
