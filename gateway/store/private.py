"""Files and folders for the gateway's own user: made once, and secrets never read where others could read them too.

Invariants
- A file with contents is made whole or not at all; of several processes that make it at the same time one wins, and all read
  what that one made.
- A secret is never read through a link, from another owner, or where group or world may read it.
- No folder that is made on the way is open to others.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.errors import SettingsError
from gateway.store.durable import sync_folder

SIZE: Final = 32
"""Bytes of a secret."""
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def load_secret(path: Path, what: str, *, lost: Callable[[], str]) -> bytes:
    """Return the secret in a file, made where there is none; `what` names it in errors ("The root key").

    `lost` is asked before a new one is made: it returns why there must have been one before, and what to do, or nothing.
    Raises `SettingsError` where the file is lost, or is not a private file of `SIZE` bytes of ours.
    """
    try:
        if not path.is_symlink() and not path.exists():
            why = lost()
            if not why:
                make_once(path, os.urandom(SIZE))
            elif not path.exists():  # else another process has just made it, and then something under it
                raise SettingsError(f"{what} {path} is missing {why}")
        return read_secret(path, what, uid=os.geteuid())
    except OSError as error:
        raise SettingsError(f"{what} {path} cannot be used: {error.strerror}") from error


def read_secret(path: Path, what: str, *, uid: int) -> bytes:
    """Return the secret in a file that belongs to `uid` and to nobody else; raises `SettingsError` or `OSError`."""
    # Looked at once it is open, so that nobody can exchange the file between the look and the read.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise SettingsError(f"{what} {path} is a link: put the file itself there") from error
        raise
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise SettingsError(f"{what} {path} is not a regular file")
        if found.st_uid != uid:
            raise SettingsError(f"{what} {path} belongs to another user (id {found.st_uid}): give it to the gateway's own")
        if found.st_mode & 0o077:
            raise SettingsError(f"{what} {path} is open to group or world: run 'chmod 600 {path}'")
        secret = file.read(SIZE + 1)
    if len(secret) != SIZE:
        raise SettingsError(f"{what} {path} does not hold {SIZE} bytes: restore it from a backup")
    return secret


def make_once(path: Path, data: bytes) -> None:
    """Make a durable file of these bytes, unless there is one, which is then left as it is; raises `OSError`.

    It is written beside its place and linked there: of several processes one wins, none sees a part of it.
    """
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, _NEW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first
            os.link(draft, path)
        sync_folder(path.parent)
    finally:
        draft.unlink()


def make_file(path: Path) -> None:
    """Make an empty file, unless there is one; for a database, whose -wal and -shm files get its mode. Raises `OSError`.

    What is there is not even opened: closing it would drop the locks that this process's other connections hold on it (POSIX
    ties a lock to process and file, not to the descriptor).
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, _NEW, 0o600))


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner enters, and so every missing one on the way to it; raises `OSError`."""
    if not folder.is_dir():
        if not folder.parent.is_dir():  # not by mkdir's own `parents`, which are open to all
            make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
