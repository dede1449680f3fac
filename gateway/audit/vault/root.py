"""The root key, which wraps the tenants' keys.

wrapped = nonce ciphertext tag     AES-256-GCM (NIST SP 800-38D): 12, 32 and 16 bytes; bound to the tenant and the key's version

The nonce is random: a root key wraps a few keys for each tenant, far from the 2^32 for which random nonces are good.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.audit.vault.errors import PayloadDamaged
from gateway.audit.vault.layout import root_file
from gateway.store.private import load_secret

NONCE_BYTES: Final = 12
ID_CHARS: Final = 16


class Root:
    """The bytes of a root key, which never leave it; `id` tells root keys apart and gives nothing away."""

    __slots__ = ("_cipher", "id")

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(secret)
        self.id = hmac.digest(secret, b"gatehouse root key id", "sha256").hex()[:ID_CHARS]

    def wrap(self, key: bytes, *, tenant: str, version: int) -> bytes:
        """Return a tenant's key in a form that only this root key opens, for this tenant and version."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, _bound(tenant, version))

    def unwrap(self, wrapped: bytes, *, tenant: str, version: int) -> bytes:
        """Return a tenant's key; raises `PayloadDamaged` where that is not what was wrapped for this tenant and version."""
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound(tenant, version))
        except (InvalidTag, ValueError, TypeError):  # too short to be one; the database holds something else
            raise PayloadDamaged(f"key {version} of tenant {tenant!r} was changed, or wrapped by another root key") from None


def load_root(store: Path, *, keys_exist: Callable[[], bool]) -> Root:
    """Return the root key under `store.path`, made on the first start.

    Raises `SettingsError` where the file is missing while wrapped keys exist, or is not a private file of 32 bytes of ours.
    """

    def lost() -> str:
        return "while keys exist that it wraps: restore it from a backup, else no payload can be read" if keys_exist() else ""

    return Root(load_secret(root_file(store), "The root key", lost=lost))


def _bound(tenant: str, version: int) -> bytes:
    return f"gatehouse tenant key|{version}|{tenant}".encode()
