"""What must be on the disk: the names in a folder, the bytes of a file after a failure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PIECE: Final = 1_048_576


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; raises `OSError`. SQLite ignores that this failed, hence our own."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def renew_file(path: Path) -> None:
    """Write a file's bytes over themselves and make them durable; raises `OSError`. One that is missing is left so.

    After a failed fsync the kernel takes the pages for clean, and a second fsync succeeds without having written them.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        at = 0
        while piece := os.pread(handle, _PIECE, at):
            at += os.pwrite(handle, piece, at)
        os.fsync(handle)
    finally:
        os.close(handle)
