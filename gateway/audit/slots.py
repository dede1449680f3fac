"""Slots: which log a process writes. A slot belongs to the process that holds the lock of its folder, and to no other.

A process takes the lowest free slot, so that one that starts anew recovers the log of the one that died.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.audit.layout import CLI, lock_file, slot_folder, slot_folders
from gateway.errors import SettingsError
from gateway.store.private import make_folder

PATIENCE: Final = 10.0
"""Seconds that a command waits for another command that writes."""
_PAUSE: Final = 0.05


@dataclass(slots=True)
class Slot:
    """A claimed slot; the lock ends with `release`, or with the process."""

    name: str
    folder: Path
    _lock: int

    def release(self) -> None:
        """Give the slot to whoever comes next; it may be called twice."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


def claim(store: Path) -> Slot:
    """Return the lowest free slot under `store.path`; raises `SettingsError` where its folder cannot be used."""
    number = 0
    while (slot := _try(store, str(number))) is None:
        number += 1
    return slot


def claim_free(store: Path) -> Iterator[Slot]:
    """Yield every slot of a worker that has a folder and that nobody holds, claimed, one after the other."""
    for folder in slot_folders(store):
        if folder.name != CLI and (slot := _try(store, folder.name)) is not None:
            yield slot


def claim_cli(store: Path, *, patience: float = PATIENCE) -> Slot:
    """Return the command line's slot, when no other command writes; raises `SettingsError` after `patience` seconds."""
    deadline = time.monotonic() + patience
    never = threading.Event()
    while (slot := _try(store, CLI)) is None:
        if time.monotonic() > deadline:
            raise SettingsError("Another gatehouse command is writing to the log: wait for it to end, or end it")
        never.wait(_PAUSE)
    return slot


def _try(store: Path, name: str) -> Slot | None:
    folder = slot_folder(store, name)
    try:
        make_folder(folder)
        lock = os.open(lock_file(folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"store.path: {folder} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            return None
        raise SettingsError(f"store.path: {folder} cannot be locked: {error.strerror}: use a local disk") from error
    return Slot(name, folder, lock)
