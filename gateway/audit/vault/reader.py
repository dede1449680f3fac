"""Opening sealed payloads again, for whoever may: the caller has checked the right to, and entered the access.

Invariants
- Only what is exactly what was sealed for this exchange and tenant is returned; anything else is one of
  `gateway.audit.vault.errors`, each of which says what is wrong.
- What the keys' table says of a frame's place is a hint: where it does not hold, the day's file is searched.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from gateway.audit.entry import Payload
from gateway.audit.vault.blob import id_bytes, unseal
from gateway.audit.vault.errors import PayloadDamaged, PayloadErased, PayloadMissing
from gateway.audit.vault.frame import HEADER_BYTES, Piece, Read, parse, scan
from gateway.audit.vault.keyring import Keyring
from gateway.audit.vault.layout import payload_file, records_database
from gateway.audit.vault.recordkey import RecordKey
from gateway.audit.vault.records import WrappedRecordKey, read_record_keys


class Opened:
    """The parts of one exchange, and the key that opens its commitments."""

    __slots__ = ("_key", "parts")

    def __init__(self, parts: Mapping[str, bytes], key: RecordKey) -> None:
        self.parts = parts
        self._key = key

    def commitment(self, part: str) -> str:
        """Return the commitment to a part: an entry of the same exchange should say the same."""
        return self._key.commitment(part, hashlib.sha256(self.parts[part]).digest())


class PayloadReader:
    """Opens payloads under `store.path`; each method waits for the disk."""

    def __init__(self, store: Path, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    def open_payload(self, exchange_id: str, payload: Payload, *, tenant: str, slot: str) -> Opened:
        """Return the parts of an exchange, given what its end entry says of its payload, its tenant, and the log's slot.

        Raises `PayloadMissing`, `PayloadErased` or `PayloadDamaged`, and `sqlite3.Error` or `OSError` for files that cannot be
        read.
        """
        try:
            exchange, digest = id_bytes(exchange_id), bytes.fromhex(payload.digest)
            path = payload_file(self._store, slot, day=payload.day)
        except ValueError as error:
            raise PayloadMissing("its entry names no payload") from error
        wrapped = self._find_key(exchange, slot)
        blob = read_blob(path, exchange, digest=digest, hint=wrapped.at if wrapped else 0)
        if wrapped is None:
            raise PayloadErased(f"its key is not in {records_database(self._store, slot)} any more")
        key = self._keyring.find(tenant, wrapped.version).unwrap(wrapped.wrapped)
        return Opened(unseal(blob, key=key.encryption, exchange=exchange, tenant=tenant), key)

    def _find_key(self, exchange: bytes, slot: str) -> WrappedRecordKey | None:
        path = records_database(self._store, slot)
        if not path.exists():
            return None
        keys = read_record_keys(self._store, slot)
        try:
            return keys.find(exchange)
        finally:
            keys.close()


def read_blob(path: Path, exchange: bytes, *, digest: bytes, hint: int = 0) -> bytes:
    """Return the blob of an exchange that has this digest; `hint` is where its frame may begin.

    Raises `PayloadMissing` where the file has none of this exchange, `PayloadDamaged` where it has, but not what was sealed.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise PayloadMissing(f"there is no file {path}") from None
    try:
        read = partial(_read, handle)
        frame = _at(read, hint, exchange=exchange, digest=digest) or _search(
            read, os.fstat(handle).st_size, exchange=exchange, digest=digest, path=path
        )
        blob = read(frame.blob_at, frame.end - frame.blob_at)
        if hashlib.sha256(blob).digest() != digest:
            raise PayloadDamaged(f"{path}: the frame at {frame.at} is damaged: its digest is another")
        return blob
    finally:
        os.close(handle)


def _at(read: Read, at: int, *, exchange: bytes, digest: bytes) -> Piece | None:
    found = parse(read(at, HEADER_BYTES), at) if at >= 0 else None
    return found if found is not None and (found.exchange, found.digest) == (exchange, digest) else None


def _search(read: Read, size: int, *, exchange: bytes, digest: bytes, path: Path) -> Piece:
    """Return the frame of an exchange; where there is none, say what may have been it."""
    other: Piece | None = None
    broken: Piece | None = None
    for piece in scan(read, 0, size, contents=False):
        if piece.exchange == exchange:
            if piece.digest == digest and not piece.damage:
                return piece
            other = piece
        elif not piece.exchange:
            broken = piece
    if other is not None:
        raise PayloadDamaged(f"{path}: the frame at {other.at} is damaged: {other.damage or 'it is not the one of its entry'}")
    if broken is not None:
        raise PayloadDamaged(f"{path}: it may have been at {broken.at}, where {broken.damage}")
    raise PayloadMissing(f"{path} has no frame of it")


def _read(handle: int, at: int, most: int) -> bytes:
    return os.pread(handle, most, at)
