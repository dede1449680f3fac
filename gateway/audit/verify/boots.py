"""Whether a log begins, goes on and closes as a log does, and whether its times can be. Pure.

A boot is one process's time with the log, from its `config` entry (reason `start`) to its `close`, or to where it died. What it
abandons for the process before comes first. The command line's log has no boots.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.audit.entry import Abandoned, Attempt, Begin, ClockStep, Close, Config, End, Entry, Genesis
from gateway.audit.layout import CLI, origin
from gateway.audit.verify.problem import Kind

EARLIEST: Final = 1_577_836_800_000_000
"""2020-01-01 in microseconds: before there was any log."""
AHEAD: Final = 86_400_000_000
"""Microseconds that a log may be ahead of the clock of the machine that verifies it."""
BACK: Final = 60_000_000
"""Microseconds that an entry may be older than one before it: it is stamped when it is made, not when it is written."""
DRIFT: Final = 2_000_000
"""Microseconds by which wall clock and monotonic clock may differ from what they were; more is told of by a `clock` entry."""
UNTOLD: Final = 8192
"""Entries within which that `clock` entry comes."""

Finding = tuple[Kind, str]


class Boots:
    """Follows one log, entry by entry. `slot` is the name that its folder has, None where that says nothing; `now` in µs."""

    def __init__(self, slot: str | None, *, now: int) -> None:
        self._slot = slot
        self._now = now
        self._boot: str | None = None
        self._closed: bool | None = True
        self._latest = 0
        self._offset = 0
        self._drifted: int | None = None

    def lose(self) -> None:
        """Note that something could not be read: nothing is expected any more until the next boot begins."""
        self._boot = None
        self._closed = None
        self._drifted = None

    def feed(self, index: int, entry: Entry, *, open_exchanges: int | None) -> Iterator[Finding]:
        """Take in the next entry; its findings must be read out. `open_exchanges` are open before it, where that is known."""
        yield from self._genesis(index, entry)
        if not EARLIEST <= entry.at <= self._now + AHEAD:
            yield "time", f"it is of {entry.at} µs since 1970, before there was such a log or in the future"
        match entry:
            case Config(reason="start"):
                yield from self._start(entry)
            case Close():
                yield from self._close(entry, open_exchanges)
            case Abandoned(reason="restart"):  # the next process's, before it says so
                pass
            case _:
                yield from self._within(index, entry)

    def _genesis(self, index: int, entry: Entry) -> Iterator[Finding]:
        if isinstance(entry, Genesis) != (index == 0):
            yield "order", "the log does not begin with a genesis entry" if index == 0 else "a log begins within the log"
        elif isinstance(entry, Genesis):
            if entry.origin != origin(entry.site, entry.node, entry.slot):
                yield "order", f"it is the beginning of {entry.origin!r}, which is not made of its site, node and slot"
            if self._slot is not None and entry.slot != self._slot:
                yield "order", f"it is the beginning of slot {entry.slot!r}, and lies in slot {self._slot!r}"
            self._slot = entry.slot

    def _start(self, entry: Config) -> Iterator[Finding]:
        if entry.clean and self._closed is False:
            yield "order", "it says that the log had been closed before, and there is no close entry"
        self._boot, self._closed = entry.boot, False
        self._latest, self._offset, self._drifted = entry.mono, entry.at - entry.mono, None

    def _close(self, entry: Close, open_exchanges: int | None) -> Iterator[Finding]:
        if self._boot is not None and entry.boot != self._boot:
            yield "order", f"process {entry.boot} closes a log that process {self._boot} had opened"
        if open_exchanges is not None and entry.open != open_exchanges:
            yield "order", f"it tells of {entry.open} open exchanges, and {open_exchanges} are open"
        self._closed, self._boot = True, None

    def _within(self, index: int, entry: Entry) -> Iterator[Finding]:
        if self._closed and self._slot != CLI and isinstance(entry, (Begin, Attempt, End)):
            self._closed = False
            yield "order", "it comes after the log was closed, and before a process opened it"
        if self._boot is None:
            return
        if isinstance(entry, Begin) and entry.boot != self._boot:
            yield "order", f"process {entry.boot} begins an exchange, and process {self._boot} had opened the log"
        yield from self._times(index, entry)

    def _times(self, index: int, entry: Entry) -> Iterator[Finding]:
        if entry.mono < self._latest - BACK:
            yield "time", f"it is {self._latest - entry.mono} µs older than an entry before it"
        self._latest = max(self._latest, entry.mono)
        if isinstance(entry, ClockStep):
            self._offset += entry.step
            self._drifted = None
        elif abs(entry.at - entry.mono - self._offset) <= DRIFT:
            self._drifted = None
        elif self._drifted is None:
            self._drifted = index
        elif index - self._drifted > UNTOLD:
            self._drifted = None
            self._offset = entry.at - entry.mono
            yield "time", f"wall clock and monotonic clock differ since {UNTOLD} entries, and no entry says that one was set"
