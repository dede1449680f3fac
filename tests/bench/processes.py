"""Processes of a run: started on their own core, awaited until they answer, ended by their process ids."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.bench.bodies import PLAIN, incomplete, request_body
from tests.bench.proc import family, stats

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 120.0
"""Seconds within which a subject must answer."""

STOP_LIMIT = 10.0
"""Seconds that it may take to end politely."""

_POLL = 0.005


class BenchError(Exception):
    """Something could not be started or measured; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core runs what; on one core everything shares it."""

    subject: int
    upstream: int
    load: int

    @classmethod
    def of(cls, available: Sequence[int]) -> Cores:
        """Give the subject the last core, the load the first, the upstream the second where there are three."""
        return cls(available[-1], available[1 if len(available) > 2 else 0], available[0])


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a subject and how to call it."""

    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Let what is started within run on one core only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Running:
    """A started process with its descendants; leaving it ends them all."""

    def __init__(self, name: str, launch: Launch, *, core: int, folder: Path, patience: float = STOP_LIMIT) -> None:
        self.name = name
        self.launch = launch
        self._patience = patience
        self._log = folder / f"{name}.log"
        environment = {**os.environ, **launch.environment}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.started = time.perf_counter()
        with pinned(core), self._log.open("wb") as log:
            self._process = subprocess.Popen(
                launch.command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_listening(self, port: int) -> None:
        """Return once the port takes connections."""
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            self._pause()

    def wait_until_answering(self, port: int) -> float:
        """Return the seconds from the start to the first complete answer."""
        while not _answers(port, self.launch.headers):
            self._pause()
        return time.perf_counter() - self.started

    def stop(self) -> None:
        """End the process and what it started: politely, then by force."""
        handles = [_handle(stat.pid) for stat in family(self.pid, stats()) if stat.pid != self.pid]
        self._process.terminate()
        try:
            self._process.wait(self._patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for handle in handles:
            if handle is not None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select([handle], [], [], self._patience)
                os.close(handle)

    def _pause(self) -> None:
        if self._process.poll() is not None:
            raise BenchError(f"{self.name} ended with {self._process.returncode}: {self._last_words()}")
        if time.perf_counter() - self.started > START_LIMIT:
            raise BenchError(f"{self.name} did not answer within {START_LIMIT:.0f} s: {self._last_words()}")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_POLL)

    def _last_words(self) -> str:
        return " | ".join(self._log.read_text(errors="replace").splitlines()[-5:]) or "it said nothing"


def _handle(pid: int) -> int | None:
    """Return a handle on a process that another one which gets its id later cannot be taken for."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _answers(port: int, headers: dict[str, str]) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        head = {"content-type": "application/json", **headers}
        connection.request("POST", "/v1/chat/completions", request_body(PLAIN), head)
        response = connection.getresponse()
        return response.status == http.HTTPStatus.OK and not incomplete(response.read(), model=PLAIN)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
