"""Logs as long as they are asked for, written by the product's own store: exchanges that overlap, of several tenants and days."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET, UnsetType

from gateway.audit.batch import Stall
from gateway.audit.entry import Access, Attempt, Begin, Close, Config, End, Entry, Genesis, PromptUsed, Result, Tried, Usage
from gateway.audit.layout import database, slot_folder
from gateway.audit.queue import Queue
from gateway.audit.store import open_store

START = 1_790_812_800_000_000
"""2026-10-01T00:00:00Z in microseconds."""
DAY = 86_400_000_000
TENANTS = ("acme", "beta", "gamma", "delta")
RESULTS: Sequence[Result] = ("complete",) * 7 + ("failed", "cancelled", "refused")
BOOT = "0011223344556677"
SOFTWARE = "gatehouse/0.1.0"
HASH = "5a" * 32
OVERLAP = 16
"""Exchanges that are open at a time."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Exchanges spread evenly over some time; every tenth has a second attempt where `attempts` says so."""

    exchanges: int
    slot: str = "0"
    since: int = START
    length: int = DAY
    tenants: Sequence[str] = TENANTS
    attempts: bool = True
    closed: bool = True
    number: int = 0
    """Of the first exchange."""
    prompt: Callable[[int], str] = lambda _: ""
    """What an exchange of that number was rendered from, such as "support/triage@v7"."""


def exchange_id(slot: str, number: int) -> str:
    return f"0199c0de-0000-7000-8{int(slot, 36):03x}-{number:012x}"


def entries(traffic: Traffic) -> Iterator[Entry]:
    """Yield a log's entries in order, from its genesis on."""
    yield Genesis(
        at=traffic.since,
        mono=0,
        origin=f"site/node-{traffic.slot}",
        site="site",
        node="node",
        slot=traffic.slot,
        software=SOFTWARE,
    )
    yield from more(traffic, first=1)


def more(traffic: Traffic, *, first: int) -> Iterator[Entry]:
    """Yield a process's entries in order, the first of which has that index."""
    yield Config(at=traffic.since, mono=0, boot=BOOT, node="node", software=SOFTWARE, reason="start", config=HASH)
    index = itertools.count(first + 1)
    running: deque[tuple[int, int]] = deque()
    for number in range(traffic.number, traffic.number + traffic.exchanges):
        passed = traffic.length * (number - traffic.number) // traffic.exchanges
        begin = next(index)
        yield _begin(traffic, number, passed=passed)
        if traffic.attempts and number % 10 == 3:
            next(index)
            yield Attempt(
                at=traffic.since + passed, mono=passed, id=exchange_id(traffic.slot, number), begin=begin, number=2,
                upstream="vllm-b", model="tiny", reason="upstream_error",
            )  # fmt: skip
        running.append((number, begin))
        if len(running) >= OVERLAP:
            next(index)
            yield _end(traffic, *running.popleft(), passed=passed)
    if traffic.closed:
        for number, begin in running:
            yield _end(traffic, number, begin, passed=traffic.length)
        yield Close(at=traffic.since + traffic.length, mono=traffic.length, boot=BOOT, open=0)


def access(traffic: Traffic, number: int, *, by: str = "abcdefghij23") -> Access:
    """Return an entry that tells of a look at the payload of one of the exchanges."""
    tenant = traffic.tenants[number % len(traffic.tenants)]
    at = traffic.since + traffic.length
    return Access(at=at, mono=0, id=exchange_id(traffic.slot, number), tenant=tenant, by=by, role="auditor", reason="ticket 4711")


def write(store: Path, slot: str, log: Iterable[Entry], *, batch: int = 512, copy: Path | None = None) -> Path:
    """Write entries to the log of a slot, `batch` in a row, and return its folder; one that is there goes on.

    `copy` is where to put what would lie there if the writer died: a database, and a WAL file that holds what came last.
    """
    folder = slot_folder(store, slot)
    folder.mkdir(parents=True, exist_ok=True)
    opened = open_store(folder, sync=lambda _: None)
    tail = opened.tail()
    queue = Queue(tail.next, tail.open, stall=Stall())
    entries = iter(log)
    while part := list(itertools.islice(entries, batch)):
        for entry in part:
            queue.enter(entry)
        while (row := queue.swap()) is not None:
            opened.write(row)
            queue.settle(row)
    if copy is not None:
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm"))
    opened.close()
    return folder


def generate(store: Path, traffic: Traffic, *, batch: int = 512, copy: Path | None = None) -> Path:
    """Write a whole log and return its folder."""
    return write(store, traffic.slot, entries(traffic), batch=batch, copy=copy)


def change(folder: Path, *statements: str, parameters: Sequence[object] = ()) -> None:
    """Change a log's database as the database itself would not allow."""
    connection = sqlite3.connect(database(folder))
    with connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("DROP TRIGGER IF EXISTS never_changed")
        connection.execute("DROP TRIGGER IF EXISTS never_deleted")
        for statement in statements:
            connection.execute(statement, parameters)
    connection.close()


def _begin(traffic: Traffic, number: int, *, passed: int) -> Begin:
    return Begin(
        at=traffic.since + passed,
        mono=passed,
        id=exchange_id(traffic.slot, number),
        boot=BOOT,
        node="node",
        software=SOFTWARE,
        operation="chat",
        tenant=traffic.tenants[number % len(traffic.tenants)],
        app=("billing", "support")[number % 2],
        key="abcdefghij23",
        role="app",
        route=("chat", "team/other", "embed")[number % 3],
        upstream="vllm-a",
        model="tiny",
        stream=number % 2 == 0,
        max_tokens=512,
        parameters={"temperature": "0.7", "top_k": 40},
        received=HASH,
        received_bytes=1700,
        config=HASH,
        prompt=_prompt(traffic.prompt(number)),
    )


def _prompt(name: str) -> PromptUsed | UnsetType:
    if not name:
        return UNSET
    prompt, _, version = name.partition("@")
    return PromptUsed(id=prompt, version=version, label="production", contract=1, digest=HASH)


def _end(traffic: Traffic, number: int, begin: int, *, passed: int) -> End:
    twice = traffic.attempts and number % 10 == 3
    tried = Tried(upstream="vllm-a", model="tiny", us=900, status=200, sent=HASH, sent_bytes=1650)
    return End(
        at=traffic.since + passed,
        mono=passed,
        id=exchange_id(traffic.slot, number),
        begin=begin,
        result=RESULTS[number % len(RESULTS)],
        status=200,
        attempts=[tried] * (2 if twice else 1),
        attempts_total=2 if twice else 1,
        finish_reasons=["stop"],
        finish_reasons_total=1,
        usage=Usage(input_tokens=11, output_tokens=22),
        bytes=990,
        answer=HASH,
        answer_bytes=1000,
        delivered=HASH,
        delivered_bytes=1010,
        payload="none",
        timings={"caller": 12, "body": 40, "route": 55, "first_byte": 800},
    )
