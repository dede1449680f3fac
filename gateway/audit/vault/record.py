"""What is kept of one exchange: commitments to its parts while it runs, the parts themselves sealed at its end.

Invariants
- A record is sealed once: its encryption key encrypts one blob (`gateway.audit.vault.blob`).
- Request headers are no part: keys, cookies and other credentials are never kept.
- Where nothing is kept (`payloads = "none"`) nothing is committed to either: a commitment opens only with the record key, which
  would have to be kept with the request or the answer to mean anything. One that nobody can ever open only looks like evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from msgspec import UNSET, UnsetType

from gateway.audit.contract import Sealed
from gateway.audit.entry import Payload
from gateway.audit.vault.blob import Compression, id_bytes, seal
from gateway.audit.vault.recordkey import RecordKey, TenantKey, new_secret


class Record:
    """The record of an exchange whose payload is kept; for one thread at a time.

    Parts are `received`, `answer`, `delivered`, `meta` (the caller's user and metadata) and `sent(attempt)`, the request as
    sent (`gateway.audit.vault.recordkey`); others may be sealed, but not committed to.
    """

    __slots__ = ("_key", "_sealed", "_tenant_key", "exchange_id")

    def __init__(self, exchange_id: str, tenant_key: TenantKey) -> None:
        self.exchange_id = exchange_id
        self._tenant_key = tenant_key
        self._key = RecordKey(new_secret())
        self._sealed = False

    def commit(self, part: str, digest: bytes) -> str:
        """Return the commitment to a part for an entry, given the SHA-256 of the part's exact bytes.

        Whoever has the bytes hashes them once, as they come; raises `ValueError` for what is no such digest or part.
        """
        return self._key.commitment(part, digest)

    def seal(self, parts: Mapping[str, bytes], *, compression: Compression, day: str) -> Sealed:
        """Return the parts, sealed; the bytes must be those that were committed to. `day` is the UTC day of the payload file.

        It may be called in any thread, once: then raises `RuntimeError`.
        """
        if self._sealed:
            raise RuntimeError("sealed twice: its key would encrypt two blobs under one nonce")
        self._sealed = True
        tenant_key = self._tenant_key
        blob = seal(
            compression.pack(parts),
            key=self._key.encryption,
            exchange=id_bytes(self.exchange_id),
            tenant=tenant_key.tenant,
        )
        return Sealed(
            exchange_id=self.exchange_id,
            tenant=tenant_key.tenant,
            blob=blob,
            wrapped_key=self._key.wrapped_by(tenant_key),
            key_version=tenant_key.version,
            digest=hashlib.sha256(blob).digest(),
            day=day,
        )


class Unkept:
    """The record of an exchange of which nothing is kept."""

    __slots__ = ()

    def commit(self, part: str, digest: bytes) -> UnsetType:  # noqa: ARG002  # as Record's
        """Return nothing: no commitment is made."""
        return UNSET


UNKEPT: Final = Unkept()


def payload_of(sealed: Sealed) -> Payload:
    """Return what the end entry says of a sealed payload."""
    return Payload(digest=sealed.digest.hex(), bytes=len(sealed.blob), day=sealed.day, key=sealed.key_version)
