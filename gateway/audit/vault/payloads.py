"""The store of one slot's payloads: frames go to the file of their day, wrapped keys to the slot's table.

Invariants
- Both are durable when `write` returns; they are written at the same time, because neither needs the other: a frame without its
  key is noise, a key without its frame opens nothing, and no entry tells of either.
- A file or connection that failed is not used again, but opened anew by the next write.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.audit.contract import Sealed
from gateway.audit.vault.blob import id_bytes
from gateway.audit.vault.database import Connect, connect
from gateway.audit.vault.dayfile import DayFile, Files
from gateway.audit.vault.frame import header
from gateway.audit.vault.layout import payload_file
from gateway.audit.vault.records import RecordKeys, WrappedRecordKey, open_record_keys
from gateway.audit.writer import reason_of
from gateway.errors import SettingsError

OPEN_DAYS: Final = 2
"""Files that are kept open: around midnight, exchanges of both days end."""
PATIENCE: Final = 2.0
"""Seconds that closing waits for a write."""


@dataclass(slots=True)
class _Share:
    """What one day's file gets of a batch: `at` is where the next frame goes, `start` where the first went."""

    file: DayFile
    start: int
    at: int
    pieces: list[bytes | memoryview] = field(default_factory=list)


class Payloads:
    """Makes sealed payloads and their keys durable; the `PayloadStore` of a log. For one thread at a time."""

    def __init__(self, store: Path, slot: str, *, files: Files | None = None, connect: Connect = connect) -> None:
        self._store = store
        self._slot = slot
        self._files = files or Files()
        self._connect = connect
        self._days: dict[str, DayFile] = {}
        self._keys: RecordKeys | None = None
        self._failed = False
        self._writing = threading.Lock()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="gatehouse-keys")

    def prepare(self, day: str) -> None:
        """Open the table of keys and the day's file, made on the first start; raises as `write` does."""
        try:
            self._file(self._open_keys(), day).ready()
        except sqlite3.Error:
            self._drop_keys()
            raise

    def write(self, sealed: Sequence[Sealed]) -> None:
        """Make all of these durable before it returns; raises `OSError` or `sqlite3.Error`."""
        with self._writing:
            self._write(sealed)

    def close(self, *, patience: float = PATIENCE) -> None:
        """Close all files, and note how far they are durable; it may be called twice, and in any thread.

        Where a write still hangs after `patience` seconds it leaves all to the end of the process: a file that is closed under
        a write may be another one by the time the write comes to it.
        """
        if not self._writing.acquire(timeout=patience):
            return
        try:
            self._close()
        finally:
            self._writing.release()

    def _write(self, sealed: Sequence[Sealed]) -> None:
        try:
            keys = self._open_keys()
            shares, rows = self._share_out(keys, sealed)
        except sqlite3.Error:
            self._drop_keys()
            raise
        added = self._beside.submit(keys.add, rows, sure={day: share.start for day, share in shares.items()})
        try:
            for share in shares.values():
                share.file.append(share.pieces)
        finally:
            if added.exception() is not None:  # it waits for the end, whatever the files did
                self._drop_keys()
            self._close_old_days()
        added.result()

    def _close(self) -> None:
        self._beside.shutdown()
        keys, self._keys = self._keys, None
        if keys is not None:
            with contextlib.suppress(sqlite3.Error):  # it only spares the next opening a look
                keys.add((), sure={day: file.end for day, file in self._days.items()})
            keys.close()
        for file in self._days.values():
            file.close()
        self._days.clear()

    def _share_out(self, keys: RecordKeys, sealed: Sequence[Sealed]) -> tuple[dict[str, _Share], list[WrappedRecordKey]]:
        shares: dict[str, _Share] = {}
        rows = []
        for each in sealed:
            share = shares.get(each.day)
            if share is None:
                file = self._file(keys, each.day)
                start = file.ready()
                share = shares[each.day] = _Share(file, start, start)
            exchange = id_bytes(each.exchange_id)
            head = header(exchange, each.digest, length=len(each.blob))
            rows.append(WrappedRecordKey(exchange, each.tenant, each.key_version, each.wrapped_key, each.day, share.at))
            share.pieces += (head, each.blob)
            share.at += len(head) + len(each.blob)
        return shares, rows

    def _file(self, keys: RecordKeys, day: str) -> DayFile:
        file = self._days.pop(day, None)
        if file is None:
            file = DayFile(payload_file(self._store, self._slot, day=day), sure=keys.sure(day), files=self._files)
        self._days[day] = file  # the last one used stands last
        return file

    def _close_old_days(self) -> None:
        for day in list(self._days)[:-OPEN_DAYS]:
            self._days.pop(day).close()

    def _open_keys(self) -> RecordKeys:
        if self._keys is None:
            self._keys = open_record_keys(
                self._store,
                self._slot,
                connect=self._connect,
                sync=self._files.sync_folder,
                renew=self._files.renew,
                strict=self._failed,
            )
            self._failed = False
        return self._keys

    def _drop_keys(self) -> None:
        keys, self._keys, self._failed = self._keys, None, True
        if keys is not None:
            keys.close()


def open_payloads(store: Path, slot: str, *, day: str, files: Files | None = None) -> Payloads:
    """Open the payloads of the slot that this process holds, as `write` will need them; raises `SettingsError`."""
    payloads = Payloads(store, slot, files=files)
    try:
        payloads.prepare(day)
    except (sqlite3.Error, OSError) as error:
        payloads.close()
        raise SettingsError(f"The payloads of slot {slot} under {store} cannot be opened: {reason_of(error)}") from error
    return payloads
