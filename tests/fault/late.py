"""A gateway that acknowledges before the commit: `python -m tests.fault.late -c FILE`. The control, which must be found out.

Batches are written some at a time: a process that is killed has acknowledged batches that are not on the disk.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.api.dispatch import Asgi
from gateway.api.server import Draining
from gateway.app import Application
from gateway.audit.place import Seams
from gateway.audit.store import Connection, Cursor, connect
from gateway.cli.serve import run
from gateway.settings.load import load
from gateway.settings.tree import Settings
from gateway.telemetry.log import open_log, raw_stderr
from gateway.telemetry.observer import Observer
from tests.audit.faulty import Row

KEPT = 8


class LateConnection:
    """Keeps rows back until so many have come, or another statement."""

    def __init__(self, inner: Connection) -> None:
        self._inner = inner
        self._kept: list[tuple[str, Sequence[Any]]] = []

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        late = sql.startswith("INSERT")
        if not late or len(self._kept) >= KEPT:
            for each in self._kept:
                self._inner.execute(*each)
            self._kept.clear()
        if not late:
            return self._inner.execute(sql, parameters)
        self._kept.append((sql, parameters))
        return Row()

    def close(self) -> None:
        self._inner.close()


def application(settings: Settings, draining: Draining, observer: Observer) -> Asgi:
    seams = Seams(connect=lambda path: LateConnection(connect(path)))
    return Application(settings, draining=draining, observer=observer, seams=seams).asgi


def main() -> None:
    with open_log(raw_stderr()) as log:
        sys.exit(run(load(Path(sys.argv[2])), application, log=log))


if __name__ == "__main__":
    main()
