"""Workers that are real processes but serve nothing, and the parent that keeps them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gateway.api.server import bind
from gateway.api.workers import RESTART_PAUSE, Work, Workers, ready
from gateway.errors import GatehouseError, SettingsError

LONG = 20.0


def serve(_listener: socket.socket, pipe: Connection, *, code: int = 0) -> int:
    """Work until the pipe ends."""
    ready(pipe)
    pipe.poll(None)
    return code


def die_once(_listener: socket.socket, pipe: Connection, *, mark: Path) -> int:
    """Be killed after the start, but only the first time."""
    ready(pipe)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    mark.with_suffix(".again").touch()
    pipe.poll(None)
    return 0


def refuse(_listener: socket.socket, _pipe: Connection) -> int:
    raise SettingsError("store.path cannot be written: choose another folder.")


def end_early(_listener: socket.socket, _pipe: Connection) -> int:
    return 3


def start_slowly(_listener: socket.socket, pipe: Connection, *, mark: Path) -> int:
    """Be ready only after the parent has begun to drain."""
    mark.touch()
    pipe.poll(None)
    ready(pipe)
    return 0


def hang(_listener: socket.socket, pipe: Connection) -> int:
    """Heed nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready(pipe)
    threading.Event().wait()
    return 0


def tell(listener: socket.socket, pipe: Connection) -> int:
    """Answer one connection with the process id, then work until the pipe ends."""
    ready(pipe)
    with listener.accept()[0] as connection:
        connection.sendall(b"%d" % os.getpid())
    pipe.poll(None)
    return 0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with bind("127.0.0.1", 0) as listener:
        yield listener


class Watched:
    """A parent that is run in this process; it gets its signals from what it says."""

    def __init__(self, work: Work, count: int = 2, restart_pause: float = RESTART_PAUSE) -> None:
        self.ended: list[int | None] = []
        self.readies = 0
        self.when_ready: Callable[[], None] = stop
        self.when_ended: Callable[[], None] = lambda: None
        self._workers = Workers(work, count, on_ready=self._ready, on_ended=self._ended, restart_pause=restart_pause)

    def run(self, listener: socket.socket, drain_timeout: float = LONG) -> int:
        return self._workers.run(listener, drain_timeout=drain_timeout)

    def _ready(self) -> None:
        self.readies += 1
        self.when_ready()

    def _ended(self, pid: int | None, code: int | None) -> None:
        assert pid
        self.ended.append(code)
        self.when_ended()


def stop() -> None:
    signal.raise_signal(signal.SIGTERM)


def test_the_parent_says_once_that_all_are_ready_and_ends_with_them(listener: socket.socket) -> None:
    watched = Watched(serve, 3)
    before = signal.getsignal(signal.SIGTERM)
    assert watched.run(listener) == 0
    assert (watched.readies, watched.ended) == (1, [])
    assert signal.getsignal(signal.SIGTERM) is before


def test_all_workers_serve_on_one_socket(listener: socket.socket) -> None:
    watched = Watched(tell)
    address = listener.getsockname()
    told: list[bytes] = []

    def ask() -> None:
        for _ in range(2):
            with socket.create_connection(address, timeout=LONG) as connection:
                told.append(connection.recv(100))
        stop()

    watched.when_ready = ask
    assert watched.run(listener) == 0
    assert len(set(told)) == 2


def test_a_worker_that_is_killed_is_replaced_after_a_pause(listener: socket.socket, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    again = mark.with_suffix(".again")
    watched = Watched(partial(die_once, mark=mark), 1, restart_pause=4.0)
    watched.when_ready = lambda: None
    thread = threading.Thread(target=stop_when, args=(again.exists,))
    thread.start()
    begun = time.time()
    assert watched.run(listener) == 0
    thread.join()
    assert watched.ended == [-signal.SIGKILL]
    assert watched.readies == 1
    assert again.stat().st_mtime - begun > 3.9


def stop_when(condition: Callable[[], bool]) -> None:
    wait_until(condition)
    os.kill(os.getpid(), signal.SIGTERM)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def test_a_worker_that_cannot_start_ends_all_with_its_own_sentence(listener: socket.socket) -> None:
    watched = Watched(refuse)
    with pytest.raises(SettingsError, match=r"^store\.path cannot be written: choose another folder\.$"):
        watched.run(listener)
    assert watched.readies == 0


def test_a_worker_that_ends_before_it_is_ready_ends_all(listener: socket.socket) -> None:
    watched = Watched(end_early)
    with pytest.raises(GatehouseError, match="before it was ready"):
        watched.run(listener)
    assert 3 in watched.ended


def test_a_worker_that_is_still_starting_when_the_drain_begins_ends_well(listener: socket.socket, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    thread = threading.Thread(target=stop_when, args=(mark.exists,))
    thread.start()
    assert Watched(partial(start_slowly, mark=mark), 1).run(listener) == 0
    thread.join()


def test_a_worker_that_does_not_drain_is_killed_in_the_end(listener: socket.socket) -> None:
    begun = time.monotonic()
    assert Watched(hang).run(listener, drain_timeout=0.5) == 1
    assert time.monotonic() - begun < LONG


def test_a_second_signal_kills_what_is_left(listener: socket.socket) -> None:
    watched = Watched(hang)

    def stop_twice() -> None:
        stop()
        stop()

    watched.when_ready = stop_twice
    begun = time.monotonic()
    assert watched.run(listener) == 1
    assert time.monotonic() - begun < LONG


def test_a_worker_that_drains_badly_shows_in_the_exit_code(listener: socket.socket) -> None:
    assert Watched(partial(serve, code=5)).run(listener) == 1


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """The parent is a program of its own here: it is killed, and the pipes' ends tell the workers."""
    program = tmp_path / "parent.py"
    program.write_text(
        "import os, signal\n"
        "from functools import partial\n"
        "from pathlib import Path\n"
        "from gateway.api.server import bind\n"
        "from gateway.api.workers import Workers\n"
        "from tests.api.test_workers import leave_note\n"
        "if __name__ == '__main__':\n"
        f"    work = partial(leave_note, folder=Path({str(tmp_path)!r}))\n"
        "    kill = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    Workers(work, 2, on_ready=kill, on_ended=print).run(bind('127.0.0.1', 0), drain_timeout=9)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, program], env={**os.environ, "PYTHONPATH": str(root)}, check=False, timeout=LONG)
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: len(list(tmp_path.glob("*.ended"))) == 2)


def leave_note(_listener: socket.socket, pipe: Connection, *, folder: Path) -> int:
    """Work until the pipe ends, and write that it did."""
    ready(pipe)
    pipe.poll(None)
    (folder / f"{os.getpid()}.ended").touch()
    return 0
