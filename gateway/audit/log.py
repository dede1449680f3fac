"""The log of one process: entries in, receipts out.

The event loop owns the queue: it makes entries' bytes, indices and hashes. A thread (`gateway.audit.writer`) makes whole batches
durable, one at a time, and wakes the loop once for each. While one is being written the next one fills. Where many come, batches
keep a distance, so that each holds more: it costs what ten entries do. At 64 connections that is 50 of 260 µs an exchange.

    open ──── a write fails ───► failed ── opened anew ──► open
     │                           what waits is lost, and those who wait are told; entries are refused
     └─ a write takes too long ─► stalled ── it ends ──► open
                                 those who wait are told; begins are refused, other entries still queue

Invariants
- What was acknowledged is on the disk, under the index that was told. What was not acknowledged may be there, and then stays.
- After a failure what is on the disk decides: indices go on from its end, and exchanges that it holds open although nobody will
  end them become `abandoned`.
- Nothing here waits, and all timers are those of the distance, of stalls, opening anew, a full disk and the minute's counts.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from gateway.audit.batch import RETRY_LATER, RETRY_SOON, STALLED, Batch, Draft, Pending, Stall, unavailable
from gateway.audit.clock import Clock, Moment
from gateway.audit.contract import Condition, PayloadStore, Sealed, Watcher
from gateway.audit.disk import Standing
from gateway.audit.entry import Abandoned, Begin, ClockStep, Close, Entry
from gateway.audit.identity import Identity
from gateway.audit.merkle import leaf_hash
from gateway.audit.place import Known, Place
from gateway.audit.queue import Queue
from gateway.audit.slots import Slot
from gateway.audit.store import Store
from gateway.audit.timers import Timers
from gateway.audit.untold import Untold
from gateway.audit.writer import Ended, Looked, Opened, Report, Writer, Written
from gateway.errors import Unavailable

FULL: Final = "the disk is nearly full"
CROWDED: Final = "too much waits"
CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, in entries and bytes, and how long things may take, in seconds.

    Behind a batch of at least `crowd` entries the next one is handed over no sooner than `spacing` after it.

    The last `reserve` of `queue` entries are kept for exchanges that have begun. While a write takes longer than
    `begin_patience` or `patience`, those who wait are told. A log that failed is opened anew after `retry`, each time after
    twice as long, up to `longest_retry`. Closing takes at most `close`, and then `thread_end` for the thread to close its store.
    A disk that is nearly full is looked at again after `look_again`.
    """

    queue: int = 4096
    crowd: int = 16
    spacing: float = 0.005
    reserve: int = 1024
    size: int = 134_217_728
    begin_patience: float = 1.0
    patience: float = 5.0
    retry: float = 0.1
    longest_retry: float = 5.0
    close: float = 10.0
    thread_end: float = 2.0
    look_again: float = 1.0


@dataclass(frozen=True, slots=True)
class Ready:
    """A log that was opened and brought in order (`gateway.audit.opening`): its writer may start.

    `abandoned` exchanges had been left open.
    """

    identity: Identity
    slot: Slot
    place: Place
    clock: Clock
    store: Store
    queue: Queue
    stall: Stall
    known: Known
    standing: Standing
    abandoned: int


class AuditLog:
    """The log of this process. Everything but its making is for the event loop's thread; close it, so that it says so."""

    def __init__(self, ready: Ready, *, payloads: PayloadStore | None, watcher: Watcher, limits: Limits) -> None:
        self.identity = ready.identity
        self.clock = ready.clock
        self._slot = ready.slot
        self._place = ready.place
        self._queue = ready.queue
        self._stall = ready.stall
        self._known = ready.known
        self._payloads = payloads
        self._watcher = watcher
        self._limits = limits
        self._writer = Writer(ready.store, disk=ready.place.disk, payloads=payloads)
        self._timers = Timers()
        self._started = False
        self._standing = ready.standing
        self._flushing, self._handed_over = False, 0.0
        self._in_flight: Batch | None = None
        self._doubtful: Batch | None = None
        self._failed = ""
        self._full = False
        self._closing = False
        self._why = ""
        self._retry = self._limits.retry
        self._works = asyncio.Event()
        self._untold = Untold(lambda delay: self._timers.set("tell", delay, self._tell))
        if ready.abandoned:
            watcher.recovered(ready.abandoned)
        if ready.standing.condition != "ok":
            watcher.filled(ready.standing.condition, ready.standing.percent)

    @property
    def condition(self) -> Condition:
        """How the log stands now."""
        return "refusing" if self._refusal(begin=True) else self._standing.condition

    @property
    def waiting(self) -> int:
        """How many entries are not yet durable."""
        return self._queue.length

    def check(self) -> None:
        """Raise `Unavailable` where a `Begin` would be refused now: a look before work is done in vain."""
        refusal = self._refusal(begin=True)
        if refusal:
            raise self._turn_away(refusal)

    def append(self, entry: Entry, sealed: Sealed | None = None) -> Pending:
        """Queue an entry, and the payload that must be durable before it; it never waits.

        Its index is the entry's for good once it is durable. Entries become durable in the order of their indices.

        - Nothing may be dispatched for an exchange before its `Begin` was awaited.
        - `Attempt` and `End` carry the begin's index; they raise `Unavailable` where that begin was lost.
        - An exchange whose begin was queued gets one `End`, also where awaiting its begin raised. Where that raises too,
          nothing is left to do: the log sees to it that its begin, if it is on the disk, becomes `Abandoned`.

        Raises `Unavailable` (code `audit_unavailable`, with `retry_after`) when the log cannot take it: it has failed and tries
        to recover, or too much waits already; a `Begin` also when the disk is nearly full or stalls. Raises `EntryError` for
        an entry with a value outside its type, and `ValueError` for a payload where the log was given no store for it: faults of
        the caller's.
        """
        if sealed is not None and self._payloads is None:
            raise ValueError("this log has no store of payloads")
        refusal = self._refusal(begin=isinstance(entry, Begin))
        if refusal:
            self._queue.give_up(entry)
            raise self._turn_away(refusal)
        pending = self._queue.enter(entry, sealed)
        if not self._flushing:
            self._schedule()
        return pending

    def plan(self, draft: Draft) -> Pending:
        """Queue a begin or end that is made when its batch is handed over; else as `append`, whose rules hold for it."""
        refusal = self._refusal(begin=draft.begin is None)
        if refusal:
            self._queue.give_up(draft)
            raise self._turn_away(refusal)
        pending = self._queue.plan(draft)
        if not self._flushing:
            self._schedule()
        return pending

    def missed(self) -> None:
        """Count an exchange that goes on though the log could not take it (`on_failure = "record-gap"`).

        A `Gap` entry tells of it, at once where the log can still be written, else as soon as it can.
        """
        self._untold.missed(self._why, self.clock.now().at)

    def refused(self, code: str, *, tenant: str = "", key: str = "") -> None:
        """Count a request that was refused without an exchange of its own; one `Refused` entry a minute tells of them."""
        self._untold.refused(code, tenant=tenant, key=key, at=self.clock.now().at)

    def folds(self, code: str, *, tenant: str, key: str) -> bool:
        """Count the refusal of a known caller's request, and tell whether it goes without entries of its own.

        The first 60 equal ones of a key and minute each get a `Begin` and an `End` (False); the rest count as `refused`.
        """
        return self._untold.folds(code, tenant=tenant, key=key, at=self.clock.now().at)

    async def close(self) -> None:
        """Write what waits and a `Close` entry, within `Limits.close` seconds, and release the slot; it never raises."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.close):
                await self._take_leave()
        self._timers.cancel_all()
        self._writer.give("stop")
        if await asyncio.to_thread(self._writer.join, self._limits.thread_end):
            self._slot.release()  # else the thread may still write: the process's end releases it

    async def _take_leave(self) -> None:
        while True:
            if self._failed:
                if self._timers.cancel("reopen"):
                    self._reopen()
                self._works.clear()
                await self._works.wait()
            at, mono = moment = self._note_clock()
            self._abandon()
            self._untold.tell(self._queue, moment)
            if self.identity.announces:
                self._queue.enter(Close(at=at, mono=mono, boot=self.identity.boot, open=self._queue.open))
            self._schedule()
            last = self._queue.newest() or self._in_flight
            try:
                await (last.wait(begin=False) if last else asyncio.sleep(0))
            except Unavailable:
                if not self._failed:
                    return  # it stalls: what is queued is written if that ever ends
            else:
                return

    def _start(self) -> None:
        """Start the writer's thread; what it reports is heard on the running loop."""
        loop = asyncio.get_running_loop()

        def report(each: Report) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(self._heard, each)

        self._started = True
        self._writer.start(report)

    def _refusal(self, *, begin: bool) -> str:
        """Return why an entry cannot be taken now, or nothing."""
        if self._closing or self._failed:
            return self._failed or CLOSED
        if self._queue.length >= self._limits.queue - (self._limits.reserve if begin else 0):
            return CROWDED
        if begin:
            if self._stall.whom != "nobody":
                return STALLED
            if self._standing.condition == "refusing":
                return FULL
            if self._queue.size >= self._limits.size:
                return CROWDED
        return ""

    def _turn_away(self, reason: str) -> Unavailable:
        self._why = reason
        if reason == FULL:
            self._look_soon()
        return unavailable(reason, retry_after=RETRY_SOON if reason in {CROWDED, STALLED} else RETRY_LATER)

    def _schedule(self) -> None:
        """See to it that what waits is handed over: when this turn of the loop is over, or the batch before is durable."""
        if not self._flushing and self._in_flight is None:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._failed:
            return
        if not self._started:
            self._start()
        self._note_clock()
        self._abandon()
        batch = self._queue.swap()
        if batch is not None:
            self._in_flight = batch
            self._handed_over = asyncio.get_running_loop().time()
            self._timers.set("stall", self._limits.begin_patience, self._stalls)
            self._writer.give(batch)

    def _note_clock(self) -> Moment:
        """Enter that the wall clock was set, where it was, and return the time."""
        moment = self.clock.now()
        step = self.clock.stepped(moment)
        if step:
            self._queue.enter(ClockStep(at=moment.at, mono=moment.mono, step=step))
        return moment

    def _abandon(self) -> int:
        """End the exchanges that nobody else will end, and return how many."""
        orphans = self._queue.orphans()
        for each in orphans:
            at, mono = self.clock.now()
            entry = Abandoned(at=at, mono=mono, id=each.id, begin=each.begin, dispatch=each.dispatch, reason="lost")
            self._queue.enter(entry)
        return len(orphans)

    def _tell(self) -> None:
        if not self._failed and not self._closing:  # else it is told when the log works again, or takes its leave
            self._untold.tell(self._queue, self.clock.now())
            self._schedule()

    def _heard(self, report: Report) -> None:
        match report:
            case Written():
                self._written(report)
            case Looked():
                self._stand(report.standing)
            case Opened():
                self._reopened(report)
            case Ended() if report.reason:
                self._fail(report.reason, full=report.full)

    def _written(self, report: Written) -> None:
        self._timers.cancel("stall")
        batch, self._in_flight = report.batch, None
        self._queue.settle(batch)
        self._known = Known(batch.following, batch.leaves[-1])
        self._retry = self._limits.retry
        if self._stall.whom != "nobody":
            self._stall.whom = "nobody"
            self._watcher.recovered(0)
        pause = self._handed_over + self._limits.spacing - asyncio.get_running_loop().time()
        if batch.count >= self._limits.crowd and pause > 0 and not self._closing:
            self._flushing = True
            self._timers.set("flush", pause, self._flush)
        elif self._queue.length:
            self._flush()  # before anything else: the disk works while the loop wakes those who waited
        batch.succeed()
        self._stand(report.standing)
        self._watcher.committed(batch.count, report.seconds)

    def _stand(self, standing: Standing) -> None:
        before, self._standing = self._standing, standing
        if standing.condition != before.condition:
            self._watcher.filled(standing.condition, standing.percent)
        if standing.condition == "refusing":
            self._look_soon()

    def _look_soon(self) -> None:
        """See to it that the thread looks at the disk, though no begin brings it a batch."""
        if not self._started:
            self._start()
        self._timers.set("look", self._limits.look_again, lambda: self._writer.give("look"))

    def _stalls(self) -> None:
        self._stall.whom = "begins"
        self._turn_waiters_away()
        self._watcher.failed(STALLED)
        self._timers.set("stall", self._limits.patience - self._limits.begin_patience, self._stalls_on)

    def _stalls_on(self) -> None:
        self._stall.whom = "everyone"
        self._turn_waiters_away()

    def _turn_waiters_away(self) -> None:
        self._why = STALLED
        if self._in_flight is not None:
            self._in_flight.turn_away()
        self._queue.turn_away()

    def _fail(self, reason: str, *, full: bool) -> None:
        """Lose what waits, and open the log anew in a while."""
        self._timers.cancel("stall")
        self._stall.whom = "nobody"
        if self._in_flight is not None:
            self._doubtful, self._in_flight = self._in_flight, None
            self._queue.lose(self._doubtful, reason)
        self._queue.drop(reason)
        before, self._failed, self._why, self._full = self._failed, reason, reason, full
        self._timers.set("reopen", self._retry, self._reopen)
        self._retry = min(2 * self._retry, self._limits.longest_retry)
        if reason != before:
            self._watcher.failed(reason)

    def _reopen(self) -> None:
        doubtful = self._doubtful.count if self._doubtful else 0
        reopen = partial(self._place.reopen, replace(self._known, doubtful=doubtful), full=self._full)
        self._writer = Writer(reopen, disk=self._place.disk, payloads=self._payloads)
        self._start()

    def _reopened(self, report: Opened) -> None:
        """Go on from what is on the disk."""
        tail = report.tail
        doubtful, self._doubtful = self._doubtful, None
        if doubtful and tail.next == doubtful.first:
            doubtful.undo()
        self._queue.restart(tail.next, tail.open, undispatched=doubtful.begun if doubtful else ())
        self._known = Known(tail.next, leaf_hash(tail.last))
        self._failed = ""
        self._stand(report.standing)
        abandoned = self._abandon()
        self._untold.tell(self._queue, self.clock.now())
        self._schedule()
        self._works.set()
        self._watcher.recovered(abandoned)
