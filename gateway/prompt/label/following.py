"""Following the labels: a snapshot in memory that is never long behind the table, whoever moves a label and wherever.

Invariants
- A move is seen within `INTERVAL` and the time of two short queries; nothing is read but the number of the latest move while none
  was made.
- A request never waits for the database and never fails for it: while it does not answer, the last snapshot holds, and the
  watcher is told once when that begins and once when it is over.
- A snapshot is one moment of the table: it is replaced as a whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from gateway.errors import SettingsError, Unavailable
from gateway.prompt.label.labels import Labels
from gateway.prompt.label.table import LabelTable

INTERVAL: Final = 0.4
"""Seconds between two looks."""
LEAVE: Final = 5.0
"""Seconds that closing waits for a look under way, which the database's own patience ends."""


class LabelWatcher(Protocol):
    """Who is told, in the thread that looks, whether labels are up to date."""

    def labels_stale(self, reason: str) -> None:
        """Note that moves are not seen any more; the reason is a few fixed words."""

    def labels_current(self) -> None:
        """Note that they are seen again."""


class Following:
    """Keeps `labels` up to date, and calls `changed` with each new snapshot, in the thread that looks.

    `stale` is why labels may be out of date, empty where they are not.
    """

    def __init__(
        self, table: LabelTable, *, changed: Callable[[Labels], None], watcher: LabelWatcher, interval: float = INTERVAL
    ) -> None:
        self._table = table
        self._changed = changed
        self._watcher = watcher
        self._interval = interval
        self._awake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="gatehouse-labels", daemon=True)
        self.labels = Labels()
        self.stale = ""

    def start(self) -> None:
        """Take the first snapshot, and follow from then on; raises `Unavailable` where there is none to begin with."""
        self._take()
        self._thread.start()

    def nudge(self) -> None:
        """Look at once instead of in a while: a label has just been moved here. From any thread."""
        self._awake.set()

    def look(self) -> None:
        """Bring the snapshot up to date, or note that it cannot be."""
        try:
            self._take()
        except (Unavailable, SettingsError) as error:
            self._tell(error.reason if isinstance(error, Unavailable) else "a move of a form that is not known")
        else:
            self._tell("")

    def close(self) -> None:
        """End the thread; the last snapshot stays."""
        self._closing = True
        self._awake.set()
        if self._thread.ident is not None:
            self._thread.join(LEAVE)

    def _run(self) -> None:
        try:
            while True:
                self._awake.wait(self._interval)
                self._awake.clear()
                if self._closing:
                    return
                self.look()
        finally:
            if not self._closing:  # a fault of ours: better told than labels that silently stand still
                self._tell("internal error")

    def _take(self) -> None:
        if self._table.last_seq() != self.labels.last:
            self.labels = Labels(self._table.current())
            self._changed(self.labels)

    def _tell(self, reason: str) -> None:
        before, self.stale = self.stale, reason
        if reason and not before:
            self._watcher.labels_stale(reason)
        elif before and not reason:
            self._watcher.labels_current()
