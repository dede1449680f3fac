"""The space under the log: how much is left, and some held back for bad days."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.audit.contract import Condition
from gateway.audit.layout import ballast_file

WARN_PERCENT: Final = 80
"""Of the file system: from here on operators are told."""
REFUSE_PERCENT: Final = 95
"""Of the file system: from here on no exchange is begun."""
BALLAST: Final = 33_554_432
"""Bytes of the ballast: enough to end what had begun."""
SHARE: Final = 16
"""The ballast is at most this part of a small file system."""
_ALL: Final = 100


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of a file system, as its users see it."""

    used: int
    free: int

    @property
    def percent(self) -> int:
        """How much of it is used, rounded up as `df` does."""
        total = self.used + self.free
        return -(-_ALL * self.used // total) if total else 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How full the disk is, and what follows from it."""

    condition: Condition
    percent: int


def space(folder: Path) -> Space:
    """Return the space of the file system that a folder is on; raises `OSError`."""
    found = os.statvfs(folder)
    return Space(used=(found.f_blocks - found.f_bfree) * found.f_frsize, free=found.f_bavail * found.f_frsize)


def is_full(error: Exception) -> bool:
    """Tell whether an error says that there is no space left."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"


class Disk:
    """The disk under one log; to be asked from one thread. `measure` gives the space of a folder's file system."""

    def __init__(self, folder: Path, *, ballast: int = BALLAST, measure: Callable[[Path], Space] = space) -> None:
        self._folder = folder
        self._ballast = ballast
        self._measure = measure

    def standing(self) -> Standing:
        """Return how full it is, the ballast counted whether or not it is there; raises `OSError`.

        Ballast that was dropped is taken in again where there is room for it: until then what it left free is not for begins.
        """
        found = self._measure(self._folder)
        ballast = min(self._ballast, (found.used + found.free) // SHARE)
        if ballast and not ballast_file(self._folder).exists():
            laden = Space(found.used + ballast, found.free - ballast)
            if laden.percent >= REFUSE_PERCENT or self._take_in(ballast):
                found = laden
        percent = min(found.percent, _ALL)
        return Standing(_condition(percent), percent)

    def drop_ballast(self) -> None:
        """Give back the ballast, so that what has begun can be ended; raises `OSError`."""
        ballast_file(self._folder).unlink(missing_ok=True)

    def _take_in(self, ballast: int) -> bool:
        path = ballast_file(self._folder)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, ballast)
            os.fsync(handle)
        except OSError:  # a quota, a file system without such a thing: the log works without ballast
            self._ballast = 0
            path.unlink()
        finally:
            os.close(handle)
        return self._ballast > 0


def _condition(percent: int) -> Condition:
    if percent >= REFUSE_PERCENT:
        return "refusing"
    return "warning" if percent >= WARN_PERCENT else "ok"
