"""The log on a disk that fails or hangs: nothing acknowledged is lost, those who wait are told, and it comes back by itself."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from gateway.audit.contract import Receipt
from gateway.audit.entry import Abandoned
from gateway.audit.log import AuditLog
from gateway.audit.queue import BATCH
from tests.audit.entries import access, attempt, begin, end, exchange_id, exchange_ids
from tests.audit.logs import IMPATIENT, PATIENT, Bench, entries_in, how, kinds_in, refused, rows, why

# A write fails.


def test_whoever_waits_for_a_write_that_fails_is_told_and_the_log_goes_on_by_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        await log.append(access("before"))
        bench.faults.gate.clear()
        written = [log.append(access("written"))]
        await asyncio.sleep(0)
        queued = [log.append(access("queued")) for _ in range(BATCH + 1)]
        bench.faults.next_write = "SQLITE_IOERR_WRITE"
        waiting = asyncio.gather(*(refused(each) for each in (*written, queued[0], queued[-1])))
        await asyncio.sleep(0)
        bench.faults.gate.set()
        assert await waiting == ["SQLITE_IOERR_WRITE"] * 3
        assert log.condition == "refusing"
        assert why(log, begin(exchange_id(1))) == "SQLITE_IOERR_WRITE"
        assert await refused(queued[5]) == "lost with others"
        await bench.watch.until(lambda: log.condition == "ok")
        assert (await log.append(access("after"))).index == 3

    bench.run(story)
    assert kinds_in(bench.folder) == ["genesis", "config", "access", "access", "close"]
    assert bench.watch.told == [("failed", "SQLITE_IOERR_WRITE"), ("recovered", 0)]
    assert bench.faults.opened == 2


def test_a_batch_that_reached_the_disk_though_its_write_failed_stays_there_and_does_no_harm(tmp_path: Path) -> None:
    """Its waiters were told that it failed; what it began is abandoned, and no index is given twice."""
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        alive = await log.append(begin(exchange_id(1)))
        ending = await log.append(begin(exchange_id(2)))
        bench.faults.next_write = "after"
        lost = [log.append(begin(exchange_id(3))), log.append(end(exchange_id(2), ending.index))]
        assert await asyncio.gather(*map(refused, lost)) == ["SQLITE_IOERR_FSYNC"] * 2
        await bench.watch.until(lambda: log.condition == "ok")
        # Its begin was refused: whoever tries to end it all the same is told that it cannot be.
        assert why(log, end(exchange_id(3), lost[0].index)) == "its begin was lost"
        assert (await log.append(end(exchange_id(1), alive.index))).index == 7

    bench.run(story)
    entries = entries_in(bench.folder)
    assert [type(each).__name__ for each in entries[2:]] == ["Begin", "Begin", "Begin", "End", "Abandoned", "End", "Close"]
    gone = entries[6]
    assert isinstance(gone, Abandoned)
    assert (gone.id, gone.begin, gone.dispatch, gone.reason) == (exchange_id(3), 4, "none", "lost")
    assert bench.watch.told == [("failed", "SQLITE_IOERR_FSYNC"), ("recovered", 1)]


@pytest.mark.parametrize("reached_the_disk", [False, True])
def test_an_end_that_was_lost_leaves_its_exchange_abandoned_unless_the_disk_has_it(
    tmp_path: Path, reached_the_disk: bool
) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        first = await log.append(begin(exchange_id(1)))
        bench.faults.next_write = "after" if reached_the_disk else "SQLITE_IOERR_WRITE"
        await refused(log.append(end(exchange_id(1), first.index)))
        await bench.watch.until(lambda: log.condition == "ok")

    bench.run(story)
    assert kinds_in(bench.folder)[2:] == ["begin", "end" if reached_the_disk else "abandoned", "close"]


def test_an_exchange_that_ends_while_the_log_has_failed_is_abandoned_when_it_works_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        first = await log.append(begin(exchange_id(1)))
        bench.faults.cannot_open = True
        bench.faults.next_write = "SQLITE_IOERR_WRITE"
        await refused(log.append(access("lost")))
        assert why(log, attempt(exchange_id(1), first.index)) == "SQLITE_IOERR_WRITE"
        await bench.watch.until(lambda: why(log, begin(exchange_id(2))) == "SQLITE_CANTOPEN")
        assert why(log, end(exchange_id(1), first.index)) == "SQLITE_CANTOPEN"
        bench.faults.cannot_open = False
        await bench.watch.until(lambda: log.condition == "ok")

    bench.run(story)
    gone = entries_in(bench.folder)[3]
    assert isinstance(gone, Abandoned)
    assert (gone.id, gone.dispatch, gone.reason) == (exchange_id(1), "assumed", "lost")
    assert bench.watch.told == [("failed", "SQLITE_IOERR_WRITE"), ("failed", "SQLITE_CANTOPEN"), ("recovered", 1)]


def test_a_log_that_fails_again_and_again_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ids = exchange_ids()
    kept: list[Receipt] = []

    async def story(log: AuditLog) -> None:
        for fault in ("SQLITE_FULL", "after", "SQLITE_IOERR_WRITE", "after"):
            alive = [await log.append(begin(next(ids))) for _ in range(3)]
            kept.extend(alive)
            bench.faults.next_write = fault
            await refused(log.append(begin(next(ids))))
            await bench.watch.until(lambda: log.condition == "ok")
            bench.faults.next_write = fault
            await refused(log.append(access()))
            await bench.watch.until(lambda: log.condition == "ok")
            kept.append(await log.append(access()))

    bench.run(story)
    leaves = b"".join(leaves for _, _, leaves in rows(bench.folder))
    assert [leaves[32 * each.index :][:32] for each in kept] == [each.leaf_hash for each in kept]
    assert [each.index for each in kept] == sorted({each.index for each in kept})
    entries_in(bench.folder)


def test_a_log_that_is_not_what_was_written_is_not_gone_on_with(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=dataclasses.replace(PATIENT, close=0.05))
    strange = b"strange"

    async def story(log: AuditLog) -> None:
        await log.append(access())
        bench.faults.answers["SELECT first, CAST(count AS INTEGER), CAST(leaves"] = (0, 99, bytes(99 * 32) + strange)
        bench.faults.next_write = "SQLITE_IOERR_WRITE"
        await refused(log.append(access()))
        await bench.watch.until(lambda: why(log, access()) == "what is on the disk is not what was written")

    bench.run(story)


# A write takes too long.


def test_while_a_write_stalls_begins_are_refused_and_what_has_begun_can_still_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=dataclasses.replace(IMPATIENT, patience=20))

    async def story(log: AuditLog) -> None:
        first = await log.append(begin(exchange_id(1)))
        bench.faults.gate.clear()
        refused_begin = log.append(begin(exchange_id(2)))
        ending = asyncio.gather(log.append(end(exchange_id(1), first.index)))
        assert await refused(refused_begin) == "the disk stalls"
        assert why(log, begin(exchange_id(3))) == "the disk stalls"
        assert how(log) == "refusing"
        # It was refused to its waiter and may become durable all the same: so it is ended like any other.
        also = log.append(end(exchange_id(2), refused_begin.index))
        bench.faults.gate.set()
        await ending
        await also
        assert how(log) == "ok"
        await log.append(begin(exchange_id(4)))

    bench.run(story)
    assert kinds_in(bench.folder)[2:] == ["begin", "begin", "end", "end", "begin", "close"]
    assert bench.watch.told == [("failed", "the disk stalls"), ("recovered", 0)]


def test_nobody_waits_for_a_stalled_disk_longer_than_the_log_has_patience(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=IMPATIENT)

    async def story(log: AuditLog) -> None:
        bench.faults.gate.clear()
        written = log.append(access("written"))
        await asyncio.sleep(0)
        queued = log.append(access("queued"))
        assert [*await asyncio.gather(refused(written), refused(queued))] == ["the disk stalls"] * 2
        assert await refused(log.append(access("late"))) == "the disk stalls"
        bench.faults.gate.set()
        await bench.watch.until(lambda: log.condition == "ok")
        await log.append(access("after"))

    bench.run(story)
    assert [each.reason for each in entries_in(bench.folder)[2:6]] == ["written", "queued", "late", "after"]  # type: ignore[union-attr]


def test_a_write_that_stalls_and_then_fails_is_a_failure(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=IMPATIENT)

    async def story(log: AuditLog) -> None:
        bench.faults.gate.clear()
        bench.faults.next_write = "SQLITE_IOERR_WRITE"
        assert await refused(log.append(begin(exchange_id(1)))) == "the disk stalls"
        bench.faults.gate.set()
        await bench.watch.until(lambda: log.condition == "ok")
        await log.append(begin(exchange_id(2)))

    bench.run(story)
    assert kinds_in(bench.folder)[2:] == ["begin", "close"]
