"""What a command does is entered in the command line's own log: the one place where commands write to it."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from msgspec import UNSET

from gateway.settings.tree import Settings

if TYPE_CHECKING:
    from gateway.audit.clock import Moment
    from gateway.audit.entry import CallerChange, Entry
    from gateway.audit.log import AuditLog
    from gateway.audit.place import Seams
    from gateway.audit.prompts import Moved
    from gateway.caller.table import KeyRecord

MICROSECONDS: Final = 1_000_000
"""In a second: the log's unit of time."""


class Entering:
    """The command line's log, open for this command alone; no event loop may run where it is used."""

    def __init__(self, log: AuditLog, runner: asyncio.Runner) -> None:
        self._log = log
        self._runner = runner

    def enter(self, make: Callable[[Moment], Entry]) -> None:
        """Enter what `make` gives for this moment, and return once it is durable; raises `Unavailable` where it cannot be."""

        async def append() -> None:
            await self._log.append(make(self._log.clock.now()))

        self._runner.run(append())

    def move(self, moved: Moved, /, *, withdrawn: bool = False) -> None:
        """Enter a move of a label: the `enter` that a table of labels asks for."""
        from gateway.audit.prompts import label_move  # noqa: PLC0415  # only prompts need it

        self.enter(lambda moment: label_move(moved, moment, withdrawn=withdrawn))

    def key_created(self, key: KeyRecord) -> None:
        """Enter a key that is being made: the `enter` that a store of keys asks for."""
        self.enter(lambda moment: _change(key, moment, action="created"))

    def key_revoked(self, key: KeyRecord) -> None:
        """Enter that a key is revoked."""
        self.enter(lambda moment: _change(key, moment, action="revoked"))


@contextmanager
def entering(settings: Settings, *, seams: Seams | None = None) -> Iterator[Entering]:
    """Open the command line's log, once no other command writes to it. Raises `SettingsError` where it cannot be opened.

    Open it before anything is done that must be entered: what is wrong with the log is mostly found then. `seams` is what the log
    stands on where that is not this machine's disk.
    """
    from gateway.audit.opening import open_cli_audit  # noqa: PLC0415  # the writer, which most commands do without
    from gateway.audit.writing import writing  # noqa: PLC0415  # as above

    log = open_cli_audit(settings.store.path, writing(settings), seams=seams)
    with asyncio.Runner() as runner:
        try:
            yield Entering(log, runner)
        finally:
            runner.run(log.close())


def operator(user: int | None = None) -> str:
    """Return who runs this command, as entries say it: `os:<name>`, with the user's number where it has no name.

    It is asked of the system: the environment says what its owner likes. `user` is a number other than the process's own.
    """
    number = os.getuid() if user is None else user
    try:
        return f"os:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"os:{number}"


def _change(key: KeyRecord, moment: Moment, *, action: Literal["created", "revoked"]) -> CallerChange:
    from gateway.audit.entry import CallerChange  # noqa: PLC0415  # the log, which most commands do without

    return CallerChange(
        at=moment.at,
        mono=moment.mono,
        action=action,
        key=key.id,
        tenant=key.tenant,
        role=key.role,
        by=operator(),
        app=key.app or UNSET,
        expires=UNSET if key.expires is None else key.expires * MICROSECONDS,
    )
