"""Several worker processes behind one listening socket, and the parent that keeps them.

Invariants
- A worker drains when its pipe ends, and the parent holds the other end: however the parent ends, its workers end too.
- A worker that ends by itself is replaced, no sooner than `RESTART_PAUSE` after its own start. Until all were ready for the
  first time, one that ends is taken for a gateway that cannot start, and ends them all.
- A signal that reaches the whole process group (Ctrl-C, systemd) is the first one to each: the parent passes none on.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from time import monotonic
from types import FrameType

from gateway.errors import GatehouseError

RESTART_PAUSE = 1.0
"""Seconds between the starts of a worker and of its replacement, at least."""

_LOOK = 0.1  # seconds between two looks at what signals came

Work = Callable[[socket.socket, Connection], int]
"""What a worker does: serve on the socket, say `ready` through the pipe, drain at the pipe's end, return the exit code."""


@dataclass(eq=False, slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    started: float = field(default_factory=monotonic)
    ready: bool = False


class Workers:
    """Keeps `count` processes of `work`, which has to be picklable.

    `on_ready` is called once, when all accept requests; `on_ended` with process id and exit code of a worker that ended unasked.
    """

    def __init__(
        self,
        work: Work,
        count: int,
        *,
        on_ready: Callable[[], None],
        on_ended: Callable[[int | None, int | None], None],
        restart_pause: float = RESTART_PAUSE,
    ) -> None:
        self._work = work
        self._count = count
        self._on_ready = on_ready
        self._on_ended = on_ended
        self._restart_pause = restart_pause
        self._workers: list[_Worker] = []
        self._owed: list[float] = []
        self._told = False
        self._signals = 0
        self._failure: GatehouseError | None = None

    def run(self, listener: socket.socket, *, drain_timeout: float) -> int:
        """Keep the workers until a signal, then wait until they have drained; returns the exit code.

        At a second signal, or `drain_timeout` seconds after the first, those that are left are killed. Raises the error of a
        worker that could not start.
        """
        before = {number: signal.signal(number, self._count_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._owed = [0.0] * self._count
            while not self._signals and self._failure is None:
                self._start_owed(listener)
                self._watch()
            listener.close()
            return self._drain(monotonic() + drain_timeout)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _count_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _start_owed(self, listener: socket.socket) -> None:
        due = [at for at in self._owed if at <= monotonic()]
        for at in due:
            self._owed.remove(at)
            ours, theirs = connection.Pipe()
            process = get_context("spawn").Process(target=_child, args=(self._work, listener, theirs))
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))

    def _watch(self) -> None:
        """Wait a moment for what workers say and for their ends."""
        starting = [worker.pipe for worker in self._workers if not worker.ready]
        connection.wait([*starting, *(worker.process.sentinel for worker in self._workers)], timeout=_LOOK)
        for worker in tuple(self._workers):
            if not worker.ready:
                self._listen(worker)
            if not worker.process.is_alive():
                self._bury(worker)
        if not self._told and len(self._workers) == self._count and all(worker.ready for worker in self._workers):
            self._told = True
            self._on_ready()

    def _listen(self, worker: _Worker) -> None:
        try:
            if worker.pipe.poll():
                failure: GatehouseError | None = worker.pipe.recv()
                worker.ready = failure is None
                self._failure = None if self._told else failure
        except EOFError:
            # It ended without a word; its sentinel says so too.
            worker.process.join(_LOOK)

    def _bury(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        if self._told:
            self._owed.append(worker.started + self._restart_pause)
        elif self._failure is None:
            self._failure = GatehouseError("A worker ended before it was ready: see what it logged before this.")
        self._on_ended(worker.process.pid, worker.process.exitcode)

    def _drain(self, deadline: float) -> int:
        for worker in self._workers:
            worker.pipe.close()
        while alive := [worker.process for worker in self._workers if worker.process.is_alive()]:
            if self._signals > 1 or monotonic() >= deadline:
                for process in alive:
                    process.kill()
            connection.wait([process.sentinel for process in alive], timeout=_LOOK)
        if self._failure is not None:
            raise self._failure
        return 1 if any(worker.process.exitcode for worker in self._workers) else 0


def ready(pipe: Connection) -> None:
    """Say, in a worker, that it accepts requests; where the parent no longer listens, the pipe's end says that it drains."""
    with contextlib.suppress(OSError):
        pipe.send(None)


def _child(work: Work, listener: socket.socket, pipe: Connection) -> None:
    try:
        code = work(listener, pipe)
    except GatehouseError as error:
        code = 1
        # The parent may be gone, or have heard the same from another worker.
        with contextlib.suppress(OSError):
            pipe.send(error)
    sys.exit(code)
