"""A disk that loses its power: what was written and not synced reaches it sector by sector, as chance has it.

SQLite runs on it through a VFS, payload files through their seam. Files really lie in a folder, which stands for the cache of the
operating system; beside it the disk keeps what is durable, and what was written since. A sync that fails tells so once: chance
has put a part of what it should have written on the disk, and the rest will never get there (as Linux does it).
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from gateway.audit.store import Cursor
from gateway.audit.vault.dayfile import Files

SECTOR: Final = 512
PAGE: Final = 4096
CHECKPOINT: Final = 20
"""Pages in the WAL file that call for a checkpoint; SQLite's own 1,000 would seldom come up before the power goes."""
T = TypeVar("T")

Change = Callable[[bytearray], None]


class Off(OSError):
    """The power is off, or a sync failed."""


class Disk:
    """What is durable of each file, and the changes since.

    `cut_in` operations from now the power goes, and the sync `fail_in` syncs from now fails.
    """

    def __init__(self, chance: random.Random) -> None:
        self.off = False
        self.cut_in: int | None = None
        self.fail_in: int | None = None
        self._chance = chance
        self._durable: dict[str, bytearray] = {}
        self._pending: dict[str, list[Change]] = {}
        self._lock = threading.Lock()

    def write(self, name: str, at: int, data: bytes) -> None:
        """Write to the cache."""
        with self._lock:
            self._count()
            for first in range(0, len(data), SECTOR):
                piece = data[first : first + SECTOR]
                self._pending.setdefault(name, []).append(partial(_put, at + first, piece))

    def truncate(self, name: str, size: int) -> None:
        """Shorten the file in the cache."""
        with self._lock:
            self._count()
            self._pending.setdefault(name, []).append(partial(_cut, size))

    def sync(self, name: str) -> None:
        """Make a file durable."""
        with self._lock:
            self._count()
            pending = self._pending.pop(name, [])
            if self.fail_in is not None:
                self.fail_in -= 1
                if self.fail_in == 0:
                    self._apply(name, self._some(pending))
                    raise Off
            self._apply(name, pending)

    def remove(self, name: str) -> None:
        """Forget a file."""
        with self._lock:
            self._durable.pop(name, None)
            self._pending.pop(name, None)

    def put_down(self, folder: Path, image: Path) -> None:
        """Write what is on the disk after the cut of the files in a folder to the same places under another one."""
        for name in self._durable.keys() | self._pending.keys():
            if not name.endswith("-shm"):
                self._apply(name, self._some(self._pending.get(name, [])))
                path = image / Path(name).relative_to(folder)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self._durable.get(name, b""))

    def _some(self, changes: list[Change]) -> list[Change]:
        return [change for change in changes if self._chance.random() < 0.5]

    def _apply(self, name: str, changes: Iterable[Change]) -> None:
        data = self._durable.setdefault(name, bytearray())
        for change in changes:
            change(data)

    def _count(self) -> None:
        if self.cut_in is not None and not self.off:
            self.cut_in -= 1
            self.off = self.cut_in <= 0
        if self.off:
            raise Off


def _put(at: int, piece: bytes, data: bytearray) -> None:
    if len(data) < at:
        data.extend(bytes(at - len(data)))
    data[at : at + len(piece)] = piece


def _cut(size: int, data: bytearray) -> None:
    del data[size:]


class DiskVFS(apsw.VFS):
    """SQLite's files on a `Disk`; register one at a time, and unregister it."""

    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, base="")
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> DiskFile:  # noqa: N802  # SQLite's name
        return DiskFile(name, flags, disk=self._disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self._disk.remove(filename)


class DiskFile(apsw.VFSFile):
    """One of SQLite's files."""

    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], *, disk: Disk) -> None:
        super().__init__("", name, flags)
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        _told(lambda: self._disk.write(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        _told(lambda: self._disk.truncate(self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802
        _told(lambda: self._disk.sync(self._name))


def _told(step: Callable[[], None]) -> None:
    """Tell SQLite of a failure in its own way."""
    try:
        step()
    except Off:
        raise apsw.IOError from None


class DiskConnection:
    """A connection over a `DiskVFS` behind the face of Python's own; `synchronous` is had instead of FULL."""

    def __init__(self, path: Path, vfs: str, *, synchronous: str = "FULL") -> None:
        self._inner = apsw.Connection(str(path), vfs=vfs)
        self._inner.wal_autocheckpoint(CHECKPOINT)
        self._synchronous = synchronous

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        if self._synchronous != "FULL" and sql.startswith("PRAGMA synchronous"):
            _translated(lambda: self._inner.execute(f"PRAGMA synchronous = {self._synchronous}"))
            return _translated(lambda: self._inner.execute("SELECT 2"))  # what the log wants to hear
        return _translated(lambda: self._inner.execute(sql, parameters))

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        return _translated(lambda: self._inner.executemany(sql, parameters))

    def close(self) -> None:
        _translated(lambda: self._inner.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1))
        _translated(self._inner.close)


def _translated(step: Callable[[], T]) -> T:
    try:
        return step()
    except apsw.Error as error:
        raise sqlite3.OperationalError(str(error)) from None


def renewing(disk: Disk) -> Callable[[Path], None]:
    """Return what writes a file's bytes over themselves and makes them durable, on the disk."""

    def renew(path: Path) -> None:
        if path.exists():
            data = path.read_bytes()
            for at in range(0, len(data), PAGE):
                disk.write(str(path), at, data[at : at + PAGE])
            disk.sync(str(path))

    return renew


def files(disk: Disk) -> Files:
    """Return what payload files stand on."""

    def name(handle: int) -> str:
        return str(Path(f"/proc/self/fd/{handle}").readlink())

    def write(handle: int, pieces: Sequence[bytes | memoryview], at: int) -> int:
        data = b"".join(pieces)
        disk.write(name(handle), at, data)
        return os.pwrite(handle, data, at)

    return Files(write=write, sync=lambda handle: disk.sync(name(handle)), sync_folder=lambda _folder: None, renew=renewing(disk))
