"""All logs of a store, to be searched by those who may: exchanges and other entries, merged by time, latest first.

Invariants
- What is returned was read from the log's own bytes, whose leaf hash was compared; the index only says where to look.
- Every entry is held against what its reader may see (`View`) after it was read, not only when it was searched for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from gateway.audit.canonical import EntryError, decode
from gateway.audit.entry import Abandoned, Access, Attempt, Begin, End, Entry
from gateway.audit.layout import database, slot_folders
from gateway.audit.reader import Reader, ReadError, Stored
from gateway.audit.search.filters import Filters, Outcome, Place, iso
from gateway.audit.search.index import Hit, Index, Stale
from gateway.audit.search.rights import View

LIMIT: Final = 50
MOST: Final = 500
"""What a page holds unless it is asked for more, and at most."""


@dataclass(frozen=True, slots=True)
class Found:
    """An exchange: who, when, what, how it ended. `log` is the slot, `begin` and `end` the indices of its entries there.

    `prompt` is what its messages were rendered from, such as "support/triage@v7", `label` the label that stood for it.
    """

    id: str
    at: str
    log: str
    begin: int
    end: int | None
    tenant: str
    app: str | None
    key: str
    role: str
    operation: str
    route: str | None
    prompt: str | None
    label: str | None
    upstream: str | None
    stream: bool
    outcome: Outcome
    status: int | None
    error: str | None
    input_tokens: int | None
    output_tokens: int | None
    microseconds: int | None
    payload: bool


@dataclass(frozen=True, slots=True)
class Note:
    """An entry of another kind, with its fields as they stand in the log."""

    at: str
    log: str
    index: int
    kind: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """What was found: `next` is the cursor of what follows, if more may. `damaged` counts what no index can hold."""

    data: list[Found | Note]
    next: str | None
    damaged: int


@dataclass(frozen=True, slots=True)
class Record:
    """One exchange with all that the logs tell of it: its own entries, and those that tell who read its payload."""

    found: Found
    begin: Begin
    end: End | Abandoned | None
    entries: list[tuple[str, Stored]]
    """The slot and the entry: begin, attempts, end, then accesses, which may stand in other logs."""


class Behind(Exception):
    """The index has so much to take in that it goes on another time: each further search takes in more."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Log:
    slot: str
    reader: Reader
    index: Index


@dataclass(frozen=True, slots=True)
class _Exchange:
    begin: Begin
    end: End | Abandoned | None
    entries: list[Stored]


class Archive:
    """The logs under `store.path`. Methods wait for the disk: call them from a thread. They raise `ReadError`.

    An index that is more than `patience` entries behind raises `Behind`, after it has taken in that many; None takes in all.
    """

    def __init__(self, store: Path, *, patience: int | None = None) -> None:
        self._store = store
        self._patience = patience

    def search(self, filters: Filters, view: View, *, after: Place | None = None, limit: int = LIMIT) -> Page:
        """Return the latest of what passes the filters and `view` sees, where a place is given what follows it."""
        if filters.tenant is not None and not view.sees(filters.tenant):
            return Page([], None, 0)
        narrowed = filters if view.tenant is None else replace(filters, tenant=view.tenant)
        found: list[tuple[Place, Found | Note | None]] = []
        damaged = 0
        for folder in self._folders():
            more, left_out = _reading(
                folder, self._patience, lambda log: _page(log, narrowed, view=view, after=after, limit=limit)
            )
            found += more
            damaged += left_out
        found.sort(key=lambda each: each[0], reverse=True)
        following = str(found[limit - 1][0]) if len(found) > limit else None
        shown = [each for _, each in found[:limit]]
        return Page([each for each in shown if each is not None], following, damaged + shown.count(None))

    def record(self, exchange_id: str, view: View) -> Record | None:
        """Return an exchange, or None where there is none of that id that `view` sees."""
        record: Record | None = None
        accesses: list[tuple[int, str, Stored]] = []
        for folder in self._folders():
            mine, more = _reading(folder, self._patience, lambda log: _record(log, exchange_id, view=view))
            record = record or mine
            accesses += more
        if record is None:
            return None
        accesses.sort(key=lambda each: each[0])
        return replace(record, entries=[*record.entries, *((slot, stored) for _, slot, stored in accesses)])

    def _folders(self) -> list[Path]:
        return [folder for folder in slot_folders(self._store) if database(folder).exists()]


def _reading(folder: Path, patience: int | None, work: Callable[[_Log], T]) -> T:
    """Do some work on a log; where its index turns out not to fit, once more with one that was built anew."""
    with contextlib.closing(Reader(folder)) as reader, contextlib.closing(Index(folder, reader, slot=folder.name)) as index:
        log = _Log(folder.name, reader, index)
        for anew in (False, True):
            try:
                if not index.catch_up(most=patience):
                    raise Behind
                return work(log)
            except Stale:
                if not anew:
                    index.rebuild()
    raise ReadError(f"{database(folder)}: its index does not fit it: run 'gatehouse audit verify'")


def _page(
    log: _Log, filters: Filters, *, view: View, after: Place | None, limit: int
) -> tuple[list[tuple[Place, Found | Note | None]], int]:
    """Return what one log adds to a page, one more than the limit where there are more; None for what is damaged."""
    find, read = (log.index.exchanges, _found) if filters.kind == "exchange" else (log.index.notes, _note)
    found: list[tuple[Place, Found | Note | None]] = []
    for hit in find(filters, before=after, limit=limit + 1):
        try:
            item = read(log, hit)
        except ReadError:
            item = None
        if item is not None and not _passes(item, filters, view):
            raise Stale
        found.append((hit.place, item))
    return found, log.index.damaged()


def _record(log: _Log, exchange_id: str, *, view: View) -> tuple[Record | None, list[tuple[int, str, Stored]]]:
    """Return an exchange of one log, and the accesses to it that this log tells of, with their times."""
    about = [_entry(log, hit.place.entry) for hit in log.index.about(exchange_id)]
    told = [(_decoded(stored), stored) for stored in about]
    accesses = [(entry.at, log.slot, stored) for entry, stored in told if isinstance(entry, Access) and view.sees(entry.tenant)]
    for hit in log.index.exchange(exchange_id):
        exchange = _exchange(log, hit)
        if exchange.begin.id != exchange_id:
            raise Stale
        if view.sees(exchange.begin.tenant):
            attempts = [stored for entry, stored in told if isinstance(entry, Attempt) and entry.begin == hit.place.entry]
            own = [exchange.entries[0], *attempts, *exchange.entries[1:]]
            found = _summary(log.slot, exchange)
            return Record(found, exchange.begin, exchange.end, [(log.slot, stored) for stored in own]), accesses
    return None, accesses


def _exchange(log: _Log, hit: Hit) -> _Exchange:
    """Read an exchange's begin and end; raises `Stale` where they are something else."""
    entries = [_entry(log, index) for index in (hit.place.entry, hit.last) if index is not None]
    begin, end = _decoded(entries[0]), _decoded(entries[1]) if len(entries) > 1 else None
    if not isinstance(begin, Begin) or begin.at != hit.place.at:
        raise Stale
    if end is None:
        return _Exchange(begin, None, entries)
    if not isinstance(end, (End, Abandoned)) or end.begin != hit.place.entry or end.id != begin.id:
        raise Stale
    return _Exchange(begin, end, entries)


def _entry(log: _Log, index: int) -> Stored:
    """Return an entry that the index knows of; raises `Stale` where the log does not."""
    stored = log.reader.entry(index)
    if stored is None:
        raise Stale
    return stored


def _decoded(stored: Stored) -> Entry:
    try:
        return decode(stored.data)
    except EntryError as error:
        raise ReadError(f"entry {stored.index}: {error}") from error


def _found(log: _Log, hit: Hit) -> Found:
    return _summary(log.slot, _exchange(log, hit))


def _note(log: _Log, hit: Hit) -> Note:
    stored = _entry(log, hit.place.entry)
    fields = msgspec.json.decode(stored.data, type=dict[str, Any])
    return Note(at=iso(hit.place.at), log=log.slot, index=hit.place.entry, kind=fields["kind"], fields=fields)


def _passes(item: Found | Note, filters: Filters, view: View) -> bool:
    """Tell whether what was read is what was searched for, and seen."""
    if isinstance(item, Note):
        fields = item.fields
        tenant, version = fields.get("tenant"), fields.get("canary") or fields.get("version")
        wanted = [(filters.kind, item.kind), (filters.prompt, fields.get("prompt")), (filters.version, version)]
    else:
        tenant = item.tenant
        prompt, _, version = (item.prompt or "").partition("@")
        wanted = [(filters.app, item.app), (filters.route, item.route), (filters.outcome, item.outcome)]
        wanted += [(filters.prompt, prompt), (filters.version, version)]
    return view.sees(tenant) and all(want is None or want == have for want, have in [(filters.tenant, tenant), *wanted])


def _summary(slot: str, exchange: _Exchange) -> Found:
    begin, end = exchange.begin, exchange.end
    ended = end if isinstance(end, End) else None
    usage = (ended.usage or None) if ended is not None else None
    return Found(
        id=begin.id,
        at=iso(begin.at),
        log=slot,
        begin=exchange.entries[0].index,
        end=exchange.entries[1].index if end is not None else None,
        tenant=begin.tenant,
        app=begin.app or None,
        key=begin.key,
        role=begin.role,
        operation=begin.operation,
        route=begin.route or None,
        prompt=f"{begin.prompt.id}@{begin.prompt.version}" if begin.prompt else None,
        label=begin.prompt.label or None if begin.prompt else None,
        upstream=_upstream(begin, ended),
        stream=begin.stream,
        outcome="open" if end is None else "abandoned" if ended is None else ended.result,
        status=None if ended is None else ended.status or None,
        error=None if ended is None else ended.error or None,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        microseconds=None if ended is None else max(0, ended.mono - begin.mono),
        payload=ended is not None and ended.payload != "none",
    )


def _upstream(begin: Begin, end: End | None) -> str | None:
    """Return the upstream that was asked last."""
    if end is not None and end.attempts:
        return end.attempts[-1].upstream
    return begin.upstream or None
