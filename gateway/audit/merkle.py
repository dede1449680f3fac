"""Hashes of the log's tree (RFC 6962, section 2.1). Pure."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 of a zero byte and the entry's exact bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 of a one byte and the hashes of its two children."""
    return sha256(b"\x01" + left + right).digest()
