"""Keeps the library as its folder is: watches it in a thread of its own and swaps the whole library when something changed.

Invariants
- A library is swapped as a whole and only when it differs in what it serves or in its problems; who is told is told after.
- Changes are gathered until nothing more happens for `STEP` (at most `GATHERED`), so that a file that an editor or git is
  writing is read when it is whole.
- Nothing depends on the system telling of a change: the folder is looked at `every` 30 seconds anyway, its place every second (it
  may be a link that now leads elsewhere), and where the system cannot watch it, or it does not exist, it is looked at each
  `blind` 2 seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

import watchfiles

from gateway.prompt.file.problem import Problem
from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import load_library

STEP: Final = 0.1
GATHERED: Final = 0.5
ROUND: Final = 30.0
BLIND: Final = 2.0
"""Seconds."""
_LOOK: Final = 1.0
_MS: Final = 1000


class Observer(Protocol):
    """Who is told of the library, in the thread that loaded it."""

    def prompts_loaded(self, count: int, problems: tuple[Problem, ...]) -> None:
        """Note that a library of `count` versions counts from now on, and what is wrong with its folder."""

    def prompts_unwatched(self) -> None:
        """Note that the watch ended by a fault of ours: the library stays as it is."""


Changes = Callable[[Path, threading.Event], Iterator[object]]
"""Yields when something below a folder changed (truthy) or a second has passed (falsy), until the event is set.

Raises `OSError` or `RuntimeError` where the folder cannot be watched.
"""


def system_changes(path: Path, stop: threading.Event) -> Iterator[object]:
    """Yield the changes that the operating system tells of."""
    return watchfiles.watch(
        path,
        watch_filter=None,
        step=int(STEP * _MS),
        debounce=int(GATHERED * _MS),
        rust_timeout=int(_LOOK * _MS),
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
    )


class Watch:
    """Watches a folder of prompts and gives each new library to `take`, then tells the observer."""

    def __init__(
        self,
        path: Path,
        first: Library,
        *,
        take: Callable[[Library], None],
        observer: Observer,
        changes: Changes = system_changes,
        every: float = ROUND,
        blind: float = BLIND,
    ) -> None:
        self._path = path
        self._library = first
        self._take = take
        self._observer = observer
        self._changes = changes
        self._every = every
        self._blind = blind
        self._stop = threading.Event()
        self._loading = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="prompts", daemon=True)

    def start(self) -> None:
        """Begin to watch; what changed since `first` was loaded is found at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching and wait for the thread; it may be called twice, or without `start`."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def reload(self) -> Library:
        """Look at the folder now and return the library that counts then; it reads files, so call it in a thread."""
        with self._loading:
            library = load_library(self._path, self._library)
            served, self._library = self._library, library
            if not library.serves_as(served):
                self._take(library)
                self._observer.prompts_loaded(library.count, library.problems)
            return library

    def _run(self) -> None:
        try:
            for _ in self._signs():
                self.reload()
        finally:
            if not self._stop.is_set():  # better told than prompts that silently stand still
                self._observer.prompts_unwatched()

    def _signs(self) -> Iterator[None]:
        """Yield whenever the folder is to be looked at, until `close`."""
        while not self._stop.is_set():
            try:
                yield from self._signs_of_place()
            except (OSError, RuntimeError):  # it does not exist, or the system watches as much as it can
                yield
                self._stop.wait(self._blind)

    def _signs_of_place(self) -> Iterator[None]:
        """Yield at every change until the folder's path leads to another one; raises where it cannot be watched."""
        place = _place(self._path)
        due = 0.0
        for changed in self._changes(self._path, self._stop):
            if changed or time.monotonic() >= due:
                yield
                due = time.monotonic() + self._every
            if _place(self._path) != place:
                return


def _place(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
