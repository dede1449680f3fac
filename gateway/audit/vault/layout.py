"""Where payloads and their keys lie under `store.path`. Pure.

root.key                           the root key, which wraps the tenants' keys
keys/tenants.sqlite3               tenants' keys, wrapped; shared by all processes
keys/<slot>.sqlite3                record keys, wrapped by tenants' keys; written by the process that holds the slot
payloads/<slot>/2026-11-24.sealed  the payloads of one UTC day, one frame after the other (`gateway.audit.vault.frame`)

Keys and payloads lie apart, so that a copy of the payloads alone is worth nothing, and erasing means deleting a small row.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def root_file(store: Path) -> Path:
    """Return the file of the root key."""
    return store / "root.key"


def keys_folder(store: Path) -> Path:
    """Return the folder of wrapped keys."""
    return store / "keys"


def tenants_database(store: Path) -> Path:
    """Return the database of the tenants' keys."""
    return keys_folder(store) / "tenants.sqlite3"


def records_database(store: Path, slot: str) -> Path:
    """Return the database of the record keys of one slot."""
    return keys_folder(store) / f"{slot}.sqlite3"


def payloads_folder(store: Path, slot: str) -> Path:
    """Return the folder of one slot's payload files."""
    return store / "payloads" / slot


def payload_file(store: Path, slot: str, *, day: str) -> Path:
    """Return the file of one slot's payloads of a UTC day; raises `ValueError` for what is no day."""
    if _DAY.fullmatch(day) is None:  # it may come from an entry that somebody changed
        raise ValueError("not a day")
    return payloads_folder(store, slot) / f"{day}.sealed"
