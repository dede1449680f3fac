"""The payload file of one day, to which one process appends.

Invariants
- What `append` returned from is on the disk. Where that fails the file is closed, and opened anew before anything more is written
  to it: after a failed fsync the kernel takes for written what is not, and says so only once.
- Opening keeps every frame that is whole, and cuts off what is not one: that was never acknowledged, because `sure` is at most
  one acknowledged append behind the true end, and an append is acknowledged as a whole or not at all.
- Opening anew after a failure reads the last acknowledged frames again, from the disk as far as the kernel allows, and writes
  their last page again, which the failed append had shared; the file goes on where they end. If they are not what was written,
  nothing is appended any more.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from gateway.audit.vault.database import Sync
from gateway.audit.vault.frame import scan
from gateway.store.durable import renew_file, sync_folder
from gateway.store.private import make_folder

MOST_PIECES: Final = 512
"""Pieces that are written in one call; systems take at least 1,024 (POSIX: at least 16)."""
PAGE: Final = 65_536
"""Bytes of a page of memory, at most: what a failed write of later bytes could have spoilt."""


def _sync_data(handle: int) -> None:
    if sys.platform == "darwin":  # pragma: no cover
        import fcntl  # noqa: PLC0415  # only here

        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)  # a plain fsync does not reach the disk there
    else:
        os.fdatasync(handle)


def _forget_cached(handle: int) -> None:
    if sys.platform != "darwin":  # pragma: no branch
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


@dataclass(frozen=True, slots=True)
class Files:
    """What payload files stand on: the calls that a test makes fail."""

    write: Callable[[int, Sequence[bytes | memoryview], int], int] = os.pwritev
    sync: Callable[[int], None] = _sync_data
    sync_folder: Sync = sync_folder
    renew: Sync = renew_file


class DayFile:
    """One payload file; for one thread at a time. It is opened when it is needed, and again after a failure.

    `sure` is an offset at which a frame begins or ends, all before which is known to be on the disk. Methods raise `OSError`.
    """

    def __init__(self, path: Path, *, sure: int, files: Files) -> None:
        self._path = path
        self._files = files
        self._sure = sure
        self._end: int | None = None  # of what this process knows to be on the disk
        self._handle = -1

    @property
    def end(self) -> int:
        """An offset all before which is on the disk, as far as this process knows."""
        return self._sure if self._end is None else self._end

    def ready(self) -> int:
        """Return where the next frame goes: all before it is on the disk."""
        if self._handle < 0:
            self._handle = self._open()
        return self.end

    def append(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Make frames durable, at the place that `ready` told."""
        start = self.ready()
        try:
            end = self._write(pieces, start)
            self._files.sync(self._handle)
        except BaseException:
            self.close()
            raise
        self._sure, self._end = start, end

    def close(self) -> None:
        """Close the file."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            with contextlib.suppress(OSError):  # what it would say was said at the last sync
                os.close(handle)

    def _open(self) -> int:
        folder = self._path.parent
        make_folder(folder)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._end = self._bring_in_order(handle)
            for each in (folder, folder.parent, folder.parent.parent):
                self._files.sync_folder(each)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _bring_in_order(self, handle: int) -> int:
        self._files.sync(handle)
        _forget_cached(handle)  # what was not written is not in the way of what is on the disk
        size = os.fstat(handle).st_size
        start = min(self._sure, size)
        end = _whole(handle, start, size)
        if self._end is not None:
            if end < self._end:
                raise OSError(errno.EIO, f"{self._path} does not hold what was written")
            end = self._end
            self._write_again(handle, end)
        if size > end:
            os.ftruncate(handle, end)
        self._files.sync(handle)
        self._sure = start
        return end

    def _write_again(self, handle: int, end: int) -> None:
        start = max(end - 1, 0) // PAGE * PAGE
        self._files.write(handle, [os.pread(handle, end - start, start)], start)

    def _write(self, pieces: Sequence[bytes | memoryview], start: int) -> int:
        at = start
        for first in range(0, len(pieces), MOST_PIECES):
            some = list(pieces[first : first + MOST_PIECES])
            while some:
                written = self._files.write(self._handle, some, at)
                at += written
                some = _rest(some, written)
        return at


def _rest(pieces: list[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    """Return what is left to write: a disk that fills, or a signal, may take only a part."""
    for number, piece in enumerate(pieces):
        if written < len(piece):
            return [memoryview(piece)[written:], *pieces[number + 1 :]]
        written -= len(piece)
    return []


def _whole(handle: int, start: int, size: int) -> int:
    """Return where the whole frames from `start` on end."""
    read = partial(_read, handle)
    end = start
    for piece in scan(read, start, size, contents=True):
        if piece.damage:
            break
        end = piece.end
    return end


def _read(handle: int, at: int, most: int) -> bytes:
    return os.pread(handle, most, at)
