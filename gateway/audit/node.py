"""The node's name: made once, kept under `store.path`, part of the name of every log that is written here."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Final

from gateway.audit.layout import node_file
from gateway.errors import SettingsError
from gateway.store.private import make_once

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def load_node(store: Path) -> str:
    """Return the node's name, made on the first start; raises `SettingsError` where its file cannot be used."""
    path = node_file(store)
    try:
        if not path.exists():
            make_once(path, f"{secrets.token_hex(4)}\n".encode())
        name = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise SettingsError(f"store.path: {path} cannot be used: {error.strerror}") from error
    if _NAME.fullmatch(name) is None:
        raise SettingsError(f"store.path: {path} does not hold a node's name: restore it from a backup")
    return name
