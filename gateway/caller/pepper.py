"""The pepper: 32 secret bytes under which keys are stored, in a file outside the database.

Who steals the database alone can neither test a guess nor make a key. Invariants
- The file is made once, whole or not at all, and never while keys exist: without its pepper every key would be dead.
- It is never read through a link, from another owner, or where group or world may read it.
- Its id is stored with each key, so that a wrong pepper is a clear error instead of keys that silently fail.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.errors import SettingsError

FILE: Final = "pepper"
SIZE: Final = 32


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
    path = folder / FILE
    try:
        if not path.is_symlink() and not path.exists():
            if keys_exist():
                raise SettingsError(
                    f"The pepper {path} is missing while keys exist: restore it from a backup, copy it from another node,"
                    " or revoke every key"
                )
            _make(path)
        return Pepper(_read(path, uid=os.geteuid()))
    except OSError as error:
        raise SettingsError(f"The pepper {path} cannot be used: {error.strerror}") from error


def _read(path: Path, *, uid: int) -> bytes:
    # Looked at once it is open, so that nobody can exchange the file between the look and the read.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise SettingsError(f"The pepper {path} is a link: put the file itself there") from error
        raise
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise SettingsError(f"The pepper {path} is not a regular file")
        if found.st_uid != uid:
            raise SettingsError(f"The pepper {path} belongs to another user (id {found.st_uid}): give it to the gateway's own")
        if found.st_mode & 0o077:
            raise SettingsError(f"The pepper {path} is open to group or world: run 'chmod 600 {path}'")
        secret = file.read(SIZE + 1)
    if len(secret) != SIZE:
        raise SettingsError(f"The pepper {path} does not hold {SIZE} bytes: restore it from a backup")
    return secret


def _make(path: Path) -> None:
    """Write a new pepper beside its place and link it there: of several processes one wins, none sees a part of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(SIZE))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first; its pepper is read next
            os.link(draft, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink()
