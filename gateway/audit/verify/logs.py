"""Verifying a store, a folder of logs or one log: offline, with public knowledge only, by no code that wrote it.

What this cannot see, because it needs something that lies elsewhere: entries that were cut off at the end of a log together with
everything after them, a log that was written anew from some entry on, and a log that is missing as a whole, unless a slot before
another is. A compromised writer can write lies that fit together.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from gateway.audit.entry import End
from gateway.audit.layout import CLI, database, is_slot, lock_file, slot_folder, slot_folders
from gateway.audit.reader import Reader, ReadError, is_held
from gateway.audit.vault.layout import payloads_folder
from gateway.audit.verify.log import Log
from gateway.audit.verify.payloads import Payloads
from gateway.audit.verify.problem import Report
from gateway.audit.verify.wal import damage
from gateway.errors import SettingsError

SECOND: Final = 1_000_000
"""Microseconds."""


def verify(path: Path, *, now: float) -> Report:
    """Return what is found in a store, or in the folder of one of its logs; `now` is in seconds since 1970.

    Payloads are checked too, unless the path is the folder of a log that lies apart from any. Raises `SettingsError` where there
    is no log at all.
    """
    if database(path).exists() or lock_file(path).exists():
        store = path.absolute().parent.parent
        beside = (
            is_slot(path.name) and slot_folder(store, path.name) == path.absolute() and payloads_folder(store, path.name).is_dir()
        )
        return _verify(path, store if beside else None, name=path.name, now=now)
    folders = slot_folders(path)
    if not folders:
        raise SettingsError(
            f"There is no log in {path}: name a store (the folder that store.path names), or one of its log/<slot>"
        )
    report = Report()
    for folder in folders:
        report.take_in(_verify(folder, path, name=f"log/{folder.name}", now=now))
    for slot in _passed_over({folder.name for folder in folders}, path):
        report.add("missing", f"log/{slot}", "there is no such log, though there are payloads of it, or a log of a later slot")
    return report


def _verify(folder: Path, store: Path | None, *, name: str, now: float) -> Report:
    """Check one log, and its payloads where its store is given."""
    running = is_held(folder)
    if not database(folder).exists():
        report = Report()
        if not running:
            report.add("missing", name, f"there is no file {database(folder).name}")
        return report
    report = _read(folder, store, name=name, running=running, now=now)
    if not running and is_held(folder):  # a process began to write meanwhile, under a reader that relied on stillness
        return _read(folder, store, name=name, running=True, now=now)
    return report


def _read(folder: Path, store: Path | None, *, name: str, running: bool, now: float) -> Report:
    report = Report()
    where = f"{name}/{database(folder).name}"
    if not running:
        _check_wal(folder, f"{where}-wal", report=report)
    with ExitStack() as stack:
        payloads = stack.enter_context(closing(Payloads(store, folder.name, name=where, report=report))) if store else None
        log = Log(folder, where, report=report, now=int(now * SECOND), ended=_unchecked if payloads is None else payloads.end)
        try:
            reader = stack.enter_context(closing(Reader(folder, mode="shared" if running else "still")))
            if not running:  # it would take long, and keep the writer from starting its WAL file afresh
                for text in reader.check():
                    report.add("database", where, text)
            log.read(reader, running=running)
        except ReadError as error:
            report.add("database", where, str(error))
        if payloads is not None:
            payloads.check()
    return report


def _unchecked(_end: End, _index: int, _where: str) -> None:
    """Pass over an end entry: there are no payloads to hold it against."""


def _check_wal(folder: Path, where: str, *, report: Report) -> None:
    path = database(folder)
    try:
        damaged = damage(path.with_name(f"{path.name}-wal"))
    except FileNotFoundError:
        return
    except OSError as error:
        damaged = f"it cannot be read: {error.strerror}"
    if damaged:
        report.add("wal", where, damaged)


def _passed_over(slots: set[str], store: Path) -> list[str]:
    """Return the slots that should have a log beside these: a process takes the lowest number that is free."""
    highest = max((int(slot) for slot in slots if slot != CLI), default=-1)
    expected = {str(number) for number in range(highest)}
    payloads = payloads_folder(store, CLI).parent
    if payloads.is_dir():
        expected |= {path.name for path in payloads.iterdir() if is_slot(path.name)}
    return sorted(expected - slots)
