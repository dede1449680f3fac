"""Record keys: 32 random bytes for each exchange, from which all its other secrets follow.

    encryption key, salts = HKDF-Expand(record key, "gatehouse record 1")     RFC 5869, section 2.3, with SHA-256; 32 bytes each
    commitment            = HMAC-SHA256(salt of the part, SHA-256(the part's exact bytes))
    wrapped record key    = AES-KW(tenant's key, record key)                  RFC 3394: 40 bytes

Invariants
- A record key is uniformly random, which is what HKDF-Expand asks of its key: there is nothing to extract (section 3.3).
- A commitment hides: without the salt not even a guess of a short prompt can be tested. It binds: two openings of it would be a
  collision of SHA-256, as salts have one fixed length. One part's salt may be shown without opening any other part.
- AES-KW needs no nonce: wrapping with random ones (AES-GCM) would end at 2^32 records for each key of a tenant.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from gateway.audit.vault.errors import PayloadDamaged

KEY_BYTES: Final = 32
DIGEST_BYTES: Final = 32
MOST_ATTEMPTS: Final = 250
"""Requests as sent that can be committed to: HKDF gives at most 255 keys."""
_LABEL: Final = b"gatehouse record 1"
_AT_ONCE: Final = 6
"""The encryption key and the salts that nearly every exchange needs: the five parts up to its first attempt."""
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_INNER_REST: Final = b"\x36" * (sha256().block_size - KEY_BYTES)
_OUTER_REST: Final = b"\x5c" * (sha256().block_size - KEY_BYTES)


def sent(attempt: int) -> str:
    """Return the name of the part that holds the request as sent; the first attempt has number 1."""
    return f"sent/{attempt}"


# A key's place in what HKDF gives is for good: commitments in old entries open only with the salt they were made with.
_PLACES: Final = {
    "received": 1,
    "answer": 2,
    "delivered": 3,
    "meta": 4,
    **{sent(attempt): 4 + attempt for attempt in range(1, MOST_ATTEMPTS + 1)},
}


class RecordKey:
    """The key of one exchange; for one thread at a time. It cannot be printed or pickled by mistake."""

    __slots__ = ("_derived", "_secret")

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._derived = _expand(secret, _AT_ONCE)

    @property
    def encryption(self) -> bytes:
        """The key that seals the payload: it encrypts once (`gateway.audit.vault.blob`)."""
        return self._derived[:KEY_BYTES]

    def salt(self, part: str) -> bytes:
        """Return the salt of a part; raises `ValueError` for a part that is not committed to."""
        place = _PLACES.get(part)
        if place is None:
            raise ValueError(f"no commitment is made to {part!r}")
        if place * KEY_BYTES >= len(self._derived):
            self._derived = _expand(self._secret, place + 1)
        return self._derived[place * KEY_BYTES :][:KEY_BYTES]

    def commitment(self, part: str, digest: bytes) -> str:
        """Return the commitment to a part, in hexadecimal, given the SHA-256 of its exact bytes."""
        if len(digest) != DIGEST_BYTES:
            raise ValueError(f"{len(digest)} bytes are no SHA-256 digest")
        return _hmac(self.salt(part), digest)

    def wrapped_by(self, tenant_key: TenantKey) -> bytes:
        """Return this key in a form that only the tenant's key opens."""
        return tenant_key.wrap(self._secret)

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")


class TenantKey:
    """A tenant's key, unwrapped. It cannot be printed or pickled by mistake."""

    __slots__ = ("_secret", "tenant", "version")

    def __init__(self, tenant: str, version: int, *, secret: bytes) -> None:
        self.tenant = tenant
        self.version = version
        self._secret = secret

    def wrap(self, record_key: bytes) -> bytes:
        """Return a record key, wrapped."""
        return aes_key_wrap(self._secret, record_key)

    def unwrap(self, wrapped: bytes) -> RecordKey:
        """Return a record key; raises `PayloadDamaged` where that is not what this key wrapped."""
        try:
            return RecordKey(aes_key_unwrap(self._secret, wrapped))
        except (InvalidUnwrap, ValueError, TypeError):  # TypeError: the database holds something else
            raise PayloadDamaged(f"its key was changed, or wrapped by another than key {self.version}") from None

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")


def new_secret() -> bytes:
    """Return a new key's bytes."""
    return os.urandom(KEY_BYTES)


def _hmac(key: bytes, message: bytes) -> str:
    """Return HMAC-SHA256 in hexadecimal, of a key of `KEY_BYTES` (RFC 2104, section 2).

    Two hashes cost half of what the library's one call does, which looks its algorithm up each time.
    """
    inner = sha256(key.translate(_INNER) + _INNER_REST + message).digest()
    return sha256(key.translate(_OUTER) + _OUTER_REST + inner).hexdigest()


def _expand(secret: bytes, keys: int) -> bytes:
    return HKDFExpand(SHA256(), KEY_BYTES * keys, _LABEL).derive(secret)
