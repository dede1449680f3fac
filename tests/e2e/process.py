"""A child process whose output is read while it runs: wait for a line, signal it, end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

GATEHOUSE = str(Path(sys.executable).with_name("gatehouse"))
"""The command as a user has it, beside the interpreter that runs the tests."""


class Process:
    """A child in a process group of its own; its stdout and stderr become one list of lines."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self.command = list(command)
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._child = subprocess.Popen(
            self.command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The child's process id, also that of its group."""
        return self._child.pid

    @property
    def output(self) -> str:
        """Everything that it has written so far."""
        with self._news:
            return "\n".join(self.lines)

    def wait_for(self, found: Callable[[str], bool], *, what: str, within: float) -> str:
        """Return the first line that `found` accepts; fails when there is none within `within` seconds or before the end."""
        deadline = time.monotonic() + within
        with self._news:
            while True:
                line = next(filter(found, self.lines), None)
                if line is not None:
                    return line
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    break
                self._news.wait(left)
        raise AssertionError(f"{self.command[0]} did not write {what} within {within:g} s; it wrote:\n{self.output}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone."""
        self._child.send_signal(number)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the whole group for as long as the context lasts: its sockets stay open and nobody answers."""
        os.killpg(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.pid, signal.SIGCONT)

    def wait(self, *, within: float) -> int:
        """Return the exit code; fails when the child still runs after `within` seconds."""
        try:
            code = self._child.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.command[0]} still runs after {within:g} s; it wrote:\n{self.output}") from None
        self._reader.join(10)
        return code

    def kill(self) -> None:
        """End whatever is left of the group, and the reading; never fails."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()
        self._reader.join(10)
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@contextmanager
def started(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Iterator[Process]:
    """Run a command for as long as the context lasts; whatever is left of it then is killed."""
    process = Process(command, env=env, cwd=cwd)
    try:
        yield process
    finally:
        process.kill()


def environment(**values: str) -> dict[str, str]:
    """Return this process's environment without what would steer a child by accident, and with `values`."""
    steering = ("GATEHOUSE_", "OPENAI_", "VLLM_URL", "FAKE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", **values}


def json_line(line: str) -> dict[str, Any]:
    """Return the object that a line holds, empty when it is not a JSON object."""
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
