"""Search indices that follow their logs in the background of a process that serves, so that no search begins far behind.

Invariants
- Of all processes over a store one does it: the one that holds the lock.
- It works at most a hundredth of the time. Measured on one of two shared cores: an entry takes 7 µs, so that it follows 700
  exchanges a second, and falls behind a busier log until that rests; a step of 8,192 entries, the most there is, makes the event
  loop wait once for the interpreter's switch interval (5 ms), and shorter ones mostly not at all.
- What is left to do, or fails, is done or told by the next search: this only spares it the work.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from gateway.audit.layout import database, logs_folder, slot_folders
from gateway.audit.reader import Reader, ReadError
from gateway.audit.search.index import Index, Stale

LOCK: Final = "search.lock"
"""In the folder of all slots."""
PAUSE: Final = 5.0
"""Seconds between two rounds."""
SHARE: Final = 0.01
"""Of the time, at most."""
PATIENCE: Final = 2.0
"""Seconds that closing waits for the step that runs: one takes a fraction of that."""


class CatchingUp:
    """Keeps the search indices under `store.path` near their logs, from `start` to `close`, in a thread of its own.

    Each round goes through all logs; `pause` is in seconds, `stop` ends it when it is set.
    """

    def __init__(self, store: Path, *, pause: float = PAUSE, stop: threading.Event | None = None) -> None:
        self._store = store
        self._pause = pause
        self._stop = stop or threading.Event()
        self._lock = -1
        self._thread = threading.Thread(target=self._run, name="gatehouse-catching-up", daemon=True)

    def start(self) -> None:
        """Begin, after a first pause; to be called once."""
        self._thread.start()

    def close(self) -> None:
        """End it after the step that runs; it may be called without a start, and twice."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                with suppress(OSError):  # there is no folder yet, or no room: the next round looks again
                    if self._is_ours():
                        self._round()
        finally:
            if self._lock >= 0:
                os.close(self._lock)

    def _is_ours(self) -> bool:
        """Tell whether this process is the one that does it; where another one did and is gone, it is from now on."""
        if self._lock >= 0:
            return True
        lock = os.open(logs_folder(self._store) / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _round(self) -> None:
        for folder in slot_folders(self._store):
            done = not database(folder).exists()
            while not done:
                began = time.thread_time()
                done = _step(folder)
                if self._stop.wait((time.thread_time() - began) * (1 / SHARE - 1)):
                    return


def _step(folder: Path) -> bool:
    """Take a portion of a log into its index; tell whether there is no more to do in this round."""
    try:
        with closing(Reader(folder)) as reader, closing(Index(folder, reader, slot=folder.name)) as index:
            try:
                return index.catch_up(most=1)
            except Stale:
                index.rebuild()
                return True
    except ReadError:
        return True  # who searches this log is told
