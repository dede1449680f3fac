"""The way a log is opened: a slot is claimed, what a crash left open is ended, and the process enters itself.

Everything here waits for the disk: it runs before the event loop does, and before any request is accepted.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from msgspec import UNSET

from gateway.audit.batch import Stall
from gateway.audit.canonical import EntryError, decode
from gateway.audit.clock import Clock
from gateway.audit.contract import PayloadStore, Unwatched, Watcher
from gateway.audit.entry import Abandoned, Config, Genesis
from gateway.audit.identity import Identity
from gateway.audit.layout import database
from gateway.audit.log import AuditLog, Limits, Ready
from gateway.audit.merkle import leaf_hash
from gateway.audit.node import load_node
from gateway.audit.place import Known, Place, Seams
from gateway.audit.queue import Queue
from gateway.audit.recovery import kind_of
from gateway.audit.slots import Slot, claim, claim_cli, claim_free
from gateway.audit.store import Store, StoreError, Tail
from gateway.audit.writer import reason_of
from gateway.errors import SettingsError

BOOT_BYTES: Final = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Writing:
    """Who writes: the site's name, the software with its version, the digest of the configuration in force, if there is one."""

    site: str
    software: str
    config: str | None = None


def open_audit(
    store: Path,
    writing: Writing,
    *,
    payloads: Callable[[str], PayloadStore] | None,
    watcher: Watcher,
    seams: Seams | None = None,
    limits: Limits | None = None,
) -> AuditLog:
    """Open the lowest free slot's log under `store.path` for a process that serves.

    When it returns, all that a crash left open is `abandoned`, and the process's `config` entry is durable. `payloads` opens the
    store of payloads for the slot that was claimed.
    Raises `SettingsError` where the log cannot be opened, or is another one than it should be.
    """
    slot = claim(store)
    seams = seams or Seams()
    ready = _releasing(slot, partial(_ready, store, slot, writing=writing, announces=True, seams=seams))
    store_of = _releasing(slot, partial(payloads, slot.name)) if payloads else None
    return AuditLog(ready, payloads=store_of, watcher=watcher, limits=limits or Limits())


def open_cli_audit(store: Path, writing: Writing, *, seams: Seams | None = None) -> AuditLog:
    """Open the command line's log under `store.path`, when no other command writes to it. Raises `SettingsError`."""
    slot = claim_cli(store)
    seams = seams or Seams(ballast=0)
    ready = _releasing(slot, partial(_ready, store, slot, writing=writing, announces=False, seams=seams))
    return AuditLog(ready, payloads=None, watcher=Unwatched(), limits=Limits())


def recover_free(store: Path, writing: Writing, *, seams: Seams | None = None) -> int:
    """End what crashed processes left open in slots that nobody holds, as `abandoned`; return how many exchanges that were.

    For whoever starts the processes, before they start: there may be fewer than last time, and each recovers only its own slot.
    Raises `SettingsError` where a log cannot be opened.
    """
    abandoned = 0
    seams = replace(seams or Seams(), ballast=0)
    for slot in claim_free(store):
        try:
            if database(slot.folder).exists():
                ready = _releasing(slot, partial(_ready, store, slot, writing=writing, announces=False, seams=seams))
                abandoned += ready.abandoned
                ready.store.close()
        finally:
            slot.release()
    return abandoned


def _releasing(slot: Slot, prepare: Callable[[], T]) -> T:
    try:
        return prepare()
    except BaseException as error:
        slot.release()
        if isinstance(error, (sqlite3.Error, OSError, StoreError)):
            raise SettingsError(f"The log in {slot.folder} cannot be opened: {reason_of(error)}") from error
        raise


def _ready(store: Path, slot: Slot, *, writing: Writing, announces: bool, seams: Seams) -> Ready:
    identity = Identity(
        site=writing.site,
        node=load_node(store),
        slot=slot.name,
        boot=secrets.token_hex(BOOT_BYTES),
        software=writing.software,
        config=writing.config,
        announces=announces,
    )
    place = Place(slot.folder, seams)
    opened, tail = place.open()
    try:
        _check_origin(opened, identity)
        queue, stall = _begin(opened, tail, identity=identity, clock=seams.clock)
        last = opened.entry(queue.next - 1) or b""
        known = Known(queue.next, leaf_hash(last))
        standing = place.disk.standing()
    except BaseException:
        opened.close()
        raise
    return Ready(identity, slot, place, seams.clock, opened, queue, stall, known, standing, abandoned=len(tail.open))


def _check_origin(store: Store, identity: Identity) -> None:
    first = store.entry(0)
    if first is None:
        return
    try:
        genesis = decode(first)
    except EntryError as error:
        raise StoreError("its first entry is damaged: run 'gatehouse audit verify'") from error
    if not isinstance(genesis, Genesis) or genesis.origin != identity.origin:
        begun = genesis.origin if isinstance(genesis, Genesis) else "no log"
        raise StoreError(
            f"it was begun as {begun!r} and would go on as {identity.origin!r}: restore audit.site and the file"
            " 'node', or move the log away"
        )


def _begin(store: Store, tail: Tail, *, identity: Identity, clock: Clock) -> tuple[Queue, Stall]:
    """Write what this process has to say first; what it returns goes on from there."""
    stall = Stall()
    queue = Queue(tail.next, tail.open, stall=stall)
    at, mono = clock.now()
    if not tail.next:
        queue.enter(
            Genesis(
                at=at,
                mono=mono,
                origin=identity.origin,
                site=identity.site,
                node=identity.node,
                slot=identity.slot,
                software=identity.software,
            )
        )
    for exchange, begin in tail.open.items():
        queue.enter(Abandoned(at=at, mono=mono, id=exchange, begin=begin, dispatch="assumed", reason="restart"))
    if identity.announces:
        config = Config(
            at=at,
            mono=mono,
            boot=identity.boot,
            node=identity.node,
            software=identity.software,
            reason="start",
            config=UNSET if identity.config is None else identity.config,
            clean=not tail.last or kind_of(tail.last) == "close",
        )
        queue.enter(config)
    while (batch := queue.swap()) is not None:
        store.write(batch)
        queue.settle(batch)
    return queue, stall
