"""The node's name: made once, kept under `store.path`, part of the name of every log that is written here."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import Final

from gateway.audit.disk import sync_folder
from gateway.audit.layout import node_file
from gateway.errors import SettingsError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def load_node(store: Path) -> str:
    """Return the node's name, made on the first start; raises `SettingsError` where its file cannot be used."""
    path = node_file(store)
    try:
        if not path.exists():
            _make(path)
        name = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise SettingsError(f"store.path: {path} cannot be used: {error.strerror}") from error
    if _NAME.fullmatch(name) is None:
        raise SettingsError(f"store.path: {path} does not hold a node's name: restore it from a backup")
    return name


def _make(path: Path) -> None:
    """Write a new name beside its place and link it there: of several processes one wins, none sees a part of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(4)}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first; its name is read next
            os.link(draft, path)
        sync_folder(path.parent)
    finally:
        draft.unlink()
