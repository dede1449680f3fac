"""The pepper: 32 secret bytes under which keys are stored, in a file outside the database.

Who steals the database alone can neither test a guess nor make a key. Invariants
- The file is made once, and never while keys exist: without its pepper every key would be dead. What else holds for a private
  file holds for this one (`gateway.store.private`).
- Its id is stored with each key, so that a wrong pepper is a clear error instead of keys that silently fail.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.store.private import load_secret

FILE: Final = "pepper"


class Pepper:
    """The bytes of a pepper, which never leave it: it answers with digests."""

    __slots__ = ("_mac", "id")

    def __init__(self, secret: bytes) -> None:
        self._mac = hmac.new(secret, digestmod="sha256")
        self.id = self.digest("gatehouse pepper id").hex()[:16]

    def digest(self, key: str) -> bytes:
        """Return HMAC-SHA256 (RFC 2104) of a key's UTF-8 text."""
        mac = self._mac.copy()
        mac.update(key.encode("utf-8", "surrogatepass"))
        return mac.digest()


def load_pepper(folder: Path, *, keys_exist: Callable[[], bool]) -> Pepper:
    """Return the pepper in `folder`, made on the first start.

    Raises `SettingsError` where the file is missing while keys exist, or is not a private file of 32 bytes of ours.
    """

    def lost() -> str:
        why = "while keys exist: restore it from a backup, copy it from another node, or revoke every key"
        return why if keys_exist() else ""

    return Pepper(load_secret(folder / FILE, "The pepper", lost=lost))
