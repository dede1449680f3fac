"""Where one log lies and how it is opened; the seams through which a test puts something faulty under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.audit.clock import Clock
from gateway.audit.disk import BALLAST, Disk, Space, space
from gateway.audit.store import Connect, Durably, Store, StoreError, Tail, connect, open_store
from gateway.store.durable import renew_file, sync_folder


@dataclass(frozen=True, slots=True)
class Seams:
    """What the log stands on: SQLite, durable folders and files, the measure of space, the bytes of ballast, the clocks."""

    connect: Connect = connect
    sync: Durably = sync_folder
    renew: Durably = renew_file
    measure: Callable[[Path], Space] = space
    ballast: int = BALLAST
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True, slots=True)
class Known:
    """What must be on the disk after a failure: `durable` entries, the last with this leaf hash, or `doubtful` ones more."""

    durable: int
    last_leaf: bytes
    doubtful: int = 0


class Place:
    """The folder of one log. Methods wait for the disk, and raise `sqlite3.Error`, `OSError` or `StoreError`."""

    def __init__(self, folder: Path, seams: Seams) -> None:
        self.folder = folder
        self.disk = Disk(folder, ballast=seams.ballast, measure=seams.measure)
        self._seams = seams

    def open(self, *, strict: bool = False) -> tuple[Store, Tail]:
        """Open the log and say what is in it; where the disk is nearly full, on the ballast's space."""
        if self.disk.standing().condition == "refusing":
            self.disk.drop_ballast()
        store = open_store(
            self.folder, connect=self._seams.connect, sync=self._seams.sync, renew=self._seams.renew, strict=strict
        )
        try:
            return store, store.tail()
        except BaseException:
            store.close()
            raise

    def reopen(self, known: Known, *, full: bool) -> tuple[Store, Tail]:
        """Open the log after a failure, and see that what was acknowledged is still there.

        `full` says that it failed for want of space.
        """
        if full:
            self.disk.drop_ballast()
        store, tail = self.open(strict=True)
        if tail.next in {known.durable, known.durable + known.doubtful} and store.leaf(known.durable - 1) == known.last_leaf:
            return store, tail
        store.close()
        raise StoreError("what is on the disk is not what was written")
