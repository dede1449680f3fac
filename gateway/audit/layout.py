"""Where the log's files lie under `store.path`, and what a log is called. Pure.

node                    the node's name, made once
log/<slot>/             one for each process that writes: "0", "1", … for workers, "cli" for the command line
    lock                held by the process that writes here
    log.sqlite3         the entries (with SQLite's -wal and -shm beside it)
    ballast             space that a full disk gives back, so that exchanges can still be ended
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

CLI: Final = "cli"
"""The slot of the command line."""


def node_file(store: Path) -> Path:
    """Return the file that holds the node's name."""
    return store / "node"


def logs_folder(store: Path) -> Path:
    """Return the folder of all slots."""
    return store / "log"


def slot_folder(store: Path, slot: str) -> Path:
    """Return the folder of one slot."""
    return logs_folder(store) / slot


def slot_folders(store: Path) -> list[Path]:
    """Return the folders that may hold a log, in the order of their slots: numbers first."""
    folder = logs_folder(store)
    names = [each.name for each in folder.iterdir() if is_slot(each.name)] if folder.is_dir() else []
    return [folder / name for name in sorted(names, key=lambda name: (name == CLI, len(name), name))]


def is_slot(name: str) -> bool:
    """Tell whether this is the name of a slot: a number without leading zeros, or the command line's."""
    return name == CLI or (name.isascii() and name.isdigit() and str(int(name)) == name)


def lock_file(folder: Path) -> Path:
    """Return the file whose lock says that a process writes in a slot's folder."""
    return folder / "lock"


def database(folder: Path) -> Path:
    """Return the database of a slot's folder."""
    return folder / "log.sqlite3"


def wal_file(folder: Path) -> Path:
    """Return the database's write-ahead log, which SQLite names."""
    return folder / "log.sqlite3-wal"


def ballast_file(folder: Path) -> Path:
    """Return the ballast of a slot's folder."""
    return folder / "ballast"


def origin(site: str, node: str, slot: str) -> str:
    """Return the name of a log, unique in the world as far as site and node are (C2SP tlog-checkpoint, origin)."""
    return f"{site}/{node}-{slot}"
