"""Sealed payloads, and disks that fail, for the tests of the vault."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gateway.audit.contract import Sealed
from gateway.audit.vault.blob import Compression
from gateway.audit.vault.database import Connection, Cursor, connect
from gateway.audit.vault.dayfile import Files
from gateway.audit.vault.keyring import Keyring, open_keyring
from gateway.audit.vault.reader import Opened, PayloadReader
from gateway.audit.vault.record import Record, payload_of
from gateway.audit.vault.recordkey import TenantKey
from gateway.exchange.ids import new_id
from gateway.store.durable import sync_folder

DAY = "2026-11-24"
PARTS: dict[str, bytes] = {
    "received": b'{"model":"chat","messages":[{"role":"user","content":"How tall is it?"}]}',
    "sent/1": b'{"model":"tiny","messages":[{"role":"user","content":"How tall is it?"}]}',
    "answer": b'{"choices":[{"message":{"content":"828 m"}}]}',
    "delivered": b'{"choices":[{"message":{"content":"828 m"}}]}',
    "meta": b'{"user":"u-1"}',
}


def tenant_key(tenant: str = "acme", version: int = 1) -> TenantKey:
    return TenantKey(tenant, version, secret=hashlib.sha256(f"{tenant} {version}".encode()).digest())


def sealed(key: TenantKey, parts: Mapping[str, bytes] = PARTS, *, day: str = DAY, exchange_id: str = "") -> Sealed:
    return Record(exchange_id or new_id(), key).seal(parts, compression=Compression(1), day=day)


def flipped(data: bytes, bit: int) -> bytes:
    """Return the bytes with one bit changed."""
    place, number = divmod(bit, 8)
    return data[:place] + bytes([data[place] ^ 1 << number]) + data[place + 1 :]


@dataclass
class Store:
    """A folder with keys of its own, in which payloads are written and opened; `close` it once keys were used."""

    path: Path
    slot: str = "0"

    @cached_property
    def keyring(self) -> Keyring:
        return open_keyring(self.path)

    def close(self) -> None:
        self.keyring.close()

    @property
    def payload_file(self) -> Path:
        return self.path / "payloads" / self.slot / f"{DAY}.sealed"

    @property
    def records(self) -> Path:
        return self.path / "keys" / f"{self.slot}.sqlite3"

    def seal(self, parts: Mapping[str, bytes] = PARTS, *, tenant: str = "acme", day: str = DAY) -> Sealed:
        return sealed(self.keyring.prepare(tenant), parts, day=day)

    def open(self, each: Sealed, *, tenant: str = "") -> Opened:
        reader = PayloadReader(self.path, self.keyring)
        return reader.open_payload(each.exchange_id, payload_of(each), tenant=tenant or each.tenant, slot=self.slot)

    def change(self, statement: str, *values: Any, database: str = "") -> None:
        """Run one statement on the database of record keys, or on another one in the same folder."""
        connection = sqlite3.connect(self.records.with_name(database) if database else self.records)
        with connection:
            assert connection.execute(statement, values).rowcount == 1
        connection.close()


@dataclass
class Disk:
    """Files that fail when they are told to: the calls of one kind that are numbered in `failing`, counted from 0.

    A write that fails leaves `torn` bytes of what it was to write; `seen` counts the calls.
    """

    failing: dict[str, set[int]] = field(default_factory=dict)
    torn: int = 0
    short: bool = False
    error: int = errno.EIO
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def files(self) -> Files:
        return Files(write=self._write, sync=self._sync, sync_folder=self._sync_folder)

    def fail(self, kind: str) -> None:
        """Let the next call of that kind fail."""
        self.failing.setdefault(kind, set()).add(self.seen.get(kind, 0))

    def _count(self, kind: str) -> bool:
        number = self.seen.get(kind, 0)
        self.seen[kind] = number + 1
        return number in self.failing.get(kind, ())

    def _write(self, handle: int, pieces: Sequence[bytes | memoryview], at: int) -> int:
        data = b"".join(pieces)
        if self._count("write"):
            os.pwrite(handle, data[: self.torn], at)
            raise OSError(self.error, os.strerror(self.error))
        return os.pwrite(handle, data[: max(len(data) // 3, 1)] if self.short else data, at)

    def _sync(self, handle: int) -> None:
        if self._count("sync"):
            raise OSError(self.error, os.strerror(self.error))
        os.fsync(handle)

    def _sync_folder(self, folder: Path) -> None:
        if self._count("folder"):
            raise OSError(self.error, os.strerror(self.error))
        sync_folder(folder)


class PowerCut(BaseException):
    """The process is gone."""


SECTOR = 512


class Forgetful(Disk):
    """Files on a disk whose power is cut at the sync that fails: of what was not synced, each sector is there or not."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self._durable: dict[str, bytes] = {}

    def _sync(self, handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if self._count("sync"):
            path.write_bytes(self._torn(self._durable.get(str(path), b""), path.read_bytes()))
            raise PowerCut
        self._durable[str(path)] = path.read_bytes()

    def _torn(self, old: bytes, new: bytes) -> bytes:
        size = self._chance.choice(
            [len(old), len(new), self._chance.randrange(min(len(old), len(new)), max(len(old), len(new)) + 1)]
        )
        pieces = [self._chance.choice([old, new])[at : at + SECTOR].ljust(SECTOR, b"\0") for at in range(0, size, SECTOR)]
        return b"".join(pieces)[:size]


class Faulty:
    """SQLite connections of which a statement fails, once, when `failing` is the beginning of it."""

    def __init__(self) -> None:
        self.failing = ""
        self.opened = 0
        self.closed = 0

    def connect(self, path: Path) -> Connection:
        self.opened += 1
        return _Faulty(self, connect(path))

    def met(self, sql: str) -> None:
        if self.failing and sql.startswith(self.failing):
            self.failing = ""
            raise sqlite3.OperationalError("disk I/O error")


class _Faulty:
    def __init__(self, faults: Faulty, inner: Connection) -> None:
        self._faults = faults
        self._inner = inner

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        self._faults.met(sql)
        return self._inner.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        self._faults.met(sql)
        return self._inner.executemany(sql, parameters)

    def close(self) -> None:
        self._faults.closed += 1
        self._inner.close()


class Scripted:
    """A connection that gives its own answer to the pragmas in `answers`."""

    def __init__(self, path: Path, answers: Mapping[str, Any]) -> None:
        self._inner = connect(path)
        self._answers = answers
        self.closed = False

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        cursor = self._inner.execute(sql, parameters)
        return _Answer(self._answers[sql]) if sql in self._answers else cursor

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        return self._inner.executemany(sql, parameters)

    def close(self) -> None:
        self.closed = True
        self._inner.close()


@dataclass
class _Answer:
    row: Any

    def fetchone(self) -> Any:
        return self.row
