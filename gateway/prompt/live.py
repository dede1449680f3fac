"""The prompts of a running process, kept as folder and table are.

Invariants
- It starts with the library and the labels that there are; nothing is answered from half of them.
- A label that labels.yaml names and nobody has moved is set once, in all processes together, and entered in the log.
- What goes wrong later never fails a request: the last good library and labels count, and the observer is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gateway.errors import ClientError, GatehouseError
from gateway.prompt.file.problem import Problem
from gateway.prompt.label.following import Following, LabelWatcher
from gateway.prompt.label.table import Enter, LabelTable
from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import load_library
from gateway.prompt.library.watch import Watch
from gateway.prompt.prompts import Prompts


class Observer(LabelWatcher, Protocol):
    """Who is told, in whichever thread it happens, how prompts and labels are."""

    def prompts_loaded(self, count: int, problems: Sequence[Problem]) -> None:
        """Note that a library of `count` versions counts from now on, and what is wrong with its folder."""

    def prompts_unwatched(self) -> None:
        """Note that the folder is not watched any more."""

    def labels_unseeded(self, reason: str) -> None:
        """Note that labels could not be set from labels.yaml; it is tried again with the next change of the folder."""


class LivePrompts:
    """Keeps `prompts` as the folder at `path` and the table of labels are. Making it reads the folder; raises nothing for it."""

    def __init__(self, path: Path, table: LabelTable, *, observer: Observer) -> None:
        self.table = table
        self.prompts = Prompts(load_library(path))
        self._observer = observer
        self.enter: Enter | None = None
        self.following = Following(table, changed=self.prompts.take_labels, watcher=observer)
        self.watch = Watch(path, self.prompts.library, take=self._take, observer=observer)

    def start(self, enter: Enter) -> None:
        """Take the labels, set those that labels.yaml begins with, and follow both from now on; it waits for the database.

        `enter` enters a move in the log, from any thread. Raises `Unavailable` where the labels cannot be had.
        """
        self.enter = enter
        library = self.prompts.library
        self._observer.prompts_loaded(library.count, library.problems)
        self._seed(library)
        self.following.start()
        self.watch.start()

    def degraded(self) -> str:
        """Return what is wrong with prompts or labels in a few words, "" where nothing is."""
        problems = sum(each.severity == "error" for each in self.prompts.library.problems)
        return self.following.stale or (f"{problems} problems in the folder" if problems else "")

    def close(self) -> None:
        """Follow no more; what was taken stays."""
        self.watch.close()
        self.following.close()

    def _take(self, library: Library) -> None:
        self.prompts.take_library(library)
        self._seed(library)
        self.following.nudge()

    def _seed(self, library: Library) -> None:
        if self.enter is None:
            return
        for prompt, labels in library.seeds.items():
            try:
                self.table.seed(prompt, labels, enter=self.enter)
            except GatehouseError as error:
                self._observer.labels_unseeded((error.reason or error.code) if isinstance(error, ClientError) else "settings")
                return
