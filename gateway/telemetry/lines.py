"""Lines of a log on their way to a stream, written by a thread of their own.

Invariants
- `put` never waits: a reader of our stderr that is slow or stuck stops no request.
- At most `limit` lines wait; what does not fit is counted, and the count is told in the log itself as soon as it moves again.
- `close`, which also runs at the interpreter's exit, writes what waits; it gives up after its deadline.
- Lines leave in the order in which they came, and whole: several workers that share a pipe write no more at once than a pipe
  takes in one piece. Where the stream fails in the middle of a line, the next one starts afresh.
"""

from __future__ import annotations

import atexit
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

PIECE = select.PIPE_BUF
"""Bytes that a write to a pipe never mixes with those of another process (POSIX, write)."""
CLOSE_DEADLINE = 2.0
"""Seconds that a stuck stream may hold up the end of the process."""


class Stream(Protocol):
    """Where lines go: a binary file, raw or buffered."""

    def write(self, data: bytes | memoryview, /) -> int | None:
        """Write some of the data and say how much; None when nothing can be written now."""

    def flush(self) -> None:
        """Hand over what is buffered."""


class Lines:
    """Takes lines from any thread, writes them in batches at most every `pause` seconds."""

    def __init__(self, stream: Stream, *, told: Callable[[int], bytes], limit: int = 10_000, pause: float = 0.05) -> None:
        self._stream = stream
        self._told = told
        self._limit = limit
        self._pause = pause
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self._counting = threading.Lock()
        self._torn = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._moment = threading.Event()  # never set: waiting for it is a pause
        self._deadline = 0.0
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="gatehouse-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, line: bytes) -> None:
        """Queue one line, its newline included."""
        if len(self._waiting) >= self._limit:
            self._drop(1)
            return
        self._waiting.append(line)
        if self._closing.is_set():
            self._write_waiting(timeout=self._pause)
        elif not self._wake.is_set():
            self._wake.set()

    # The names under which structlog hands a rendered line to the logger that it wraps.
    debug = info = warning = error = critical = put

    def close(self, deadline: float = CLOSE_DEADLINE) -> None:
        """Write what waits and end the thread, within `deadline` seconds; lines that come later are written at once."""
        atexit.unregister(self.close)
        self._deadline = time.monotonic() + deadline
        self._closing.set()
        self._wake.set()
        self._thread.join(deadline)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            # Cleared before the queue is emptied: a line that comes meanwhile sets it again.
            self._wake.clear()
            self._write_waiting()
            self._closing.wait(self._pause)
        self._write_waiting()

    def _drop(self, count: int) -> None:
        with self._counting:
            self._dropped += count

    def _write_waiting(self, timeout: float = -1) -> None:
        if not self._writing.acquire(timeout=timeout):
            return
        try:
            while self._waiting:
                batch = self._batch()
                if not self._write(b"".join(batch)):
                    self._drop(len(batch))
                self._tell()
        finally:
            self._writing.release()

    def _batch(self) -> list[bytes]:
        batch = [self._waiting.popleft()]
        size = len(batch[0])
        while self._waiting and (size := size + len(self._waiting[0])) <= PIECE:
            batch.append(self._waiting.popleft())
        return batch

    def _tell(self) -> None:
        with self._counting:
            dropped, self._dropped = self._dropped, 0
        if dropped and not self._write(self._told(dropped)):
            self._drop(dropped)

    def _write(self, data: bytes) -> bool:
        rest = memoryview(b"\n" + data if self._torn else data)
        whole = len(rest)
        try:
            while rest:
                written = self._stream.write(rest)
                if written is None:  # a stream that does not block, and is full
                    if self._closing.is_set() and time.monotonic() > self._deadline:
                        return False
                    self._moment.wait(self._pause)
                    continue
                rest = rest[written:]
            self._stream.flush()
        except (OSError, ValueError):  # the reader has gone, the disk is full, or the stream is closed
            return False
        finally:
            self._torn = 0 < len(rest) < whole or (self._torn and len(rest) == whole)
        return True
