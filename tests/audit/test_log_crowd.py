"""The log when too much waits or the disk fills: what has begun can still end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.audit.batch import Draft
from gateway.audit.layout import ballast_file
from gateway.audit.log import CROWDED, FULL, AuditLog
from gateway.errors import Unavailable
from tests.audit.entries import access, begin, end, exchange_id
from tests.audit.logs import PATIENT, Bench, kinds_in, refused, rows, why


def test_the_last_places_in_the_queue_are_kept_for_what_has_begun(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=replace(PATIENT, queue=8, reserve=3))

    async def story(log: AuditLog) -> None:
        first = await log.append(begin(exchange_id(1)))
        bench.faults.gate.clear()
        pendings = [log.append(begin(exchange_id(number))) for number in range(2, 7)]
        assert why(log, begin(exchange_id(7))) == CROWDED
        with pytest.raises(Unavailable):
            log.check()
        pendings.append(log.append(end(exchange_id(1), first.index)))
        pendings += [log.append(end(exchange_id(number), pendings[number - 2].index)) for number in (2, 3)]
        assert why(log, end(exchange_id(4), pendings[2].index)) == CROWDED
        bench.faults.gate.set()
        for each in pendings:
            await each
        log.check()

    bench.run(story)
    # The end that found no place is not to come any more.
    assert kinds_in(bench.folder)[2:] == ["begin"] * 6 + ["end"] * 3 + ["abandoned", "close"]


def test_too_many_bytes_are_too_much_as_well(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=replace(PATIENT, size=600))

    async def story(log: AuditLog) -> None:
        log.append(begin(exchange_id(1)))
        await log.append(begin(exchange_id(2)))
        bench.faults.gate.clear()
        pendings = [log.append(begin(exchange_id(number))) for number in (3, 4)]
        assert why(log, begin(exchange_id(5))) == CROWDED
        pendings.append(log.append(access()))
        bench.faults.gate.set()
        for each in pendings:
            await each

    bench.run(story)


def test_on_a_nearly_full_disk_nothing_begins_and_what_has_begun_ends_until_there_is_space_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        first = await log.append(begin(exchange_id(1)))
        bench.percent = 96
        await bench.watch.until(lambda: log.append(access()) is not None and log.condition == "refusing")
        assert why(log, begin(exchange_id(2))) == FULL
        await log.append(end(exchange_id(1), first.index))
        bench.percent = 85
        await bench.watch.until(lambda: log.condition == "warning")
        await log.append(begin(exchange_id(3)))

    bench.run(story)
    assert bench.watch.told == [("filled", "refusing", 96), ("filled", "warning", 85)]


def test_a_log_that_starts_on_a_full_disk_takes_begins_when_there_is_space(tmp_path: Path) -> None:
    bench = Bench(tmp_path, percent=97)

    async def story(log: AuditLog) -> None:
        assert why(log, begin(exchange_id(1))) == FULL
        bench.percent = 50
        await bench.watch.until(lambda: log.condition == "ok")
        await log.append(begin(exchange_id(1)))

    bench.run(story)
    assert bench.watch.told == [("filled", "refusing", 98), ("filled", "ok", 51)]


def test_when_space_runs_out_all_at_once_the_ballast_lets_what_has_begun_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        first = await log.append(begin(exchange_id(1)))
        assert ballast_file(bench.folder).exists()
        bench.percent = 100
        bench.faults.next_write = "SQLITE_FULL"
        assert await refused(log.append(begin(exchange_id(2)))) == "SQLITE_FULL"
        await bench.watch.until(lambda: why(log, begin(exchange_id(2))) == FULL)
        assert not ballast_file(bench.folder).exists()
        await log.append(end(exchange_id(1), first.index))
        bench.percent = 10
        await bench.watch.until(lambda: log.condition == "ok")
        assert ballast_file(bench.folder).exists()

    bench.run(story)


def test_a_disk_that_cannot_even_be_looked_at_is_a_failure(tmp_path: Path) -> None:
    bench = Bench(tmp_path, percent=96)

    async def story(log: AuditLog) -> None:
        assert why(log, begin(exchange_id(1))) == FULL
        bench.gone = True
        await bench.watch.until(lambda: ("failed", "EIO") in bench.watch.told)
        assert why(log, access()) == "EIO"
        bench.gone = False
        bench.percent = 10
        await bench.watch.until(lambda: log.condition == "ok")
        await log.append(access())

    bench.run(story)
    assert bench.watch.told[1:] == [("failed", "EIO"), ("filled", "ok", 10), ("recovered", 0)]


@pytest.mark.parametrize(("crowd", "commits"), [(2, [2, 2]), (3, [2, 1, 1])])
def test_behind_a_crowd_batches_keep_their_distance_and_are_larger(tmp_path: Path, crowd: int, commits: list[int]) -> None:
    """Two entries that come one after the other are one batch behind a crowd, and two behind few."""
    bench = Bench(tmp_path, limits=replace(PATIENT, crowd=crowd, spacing=0.2))

    async def story(log: AuditLog) -> None:
        first, second = log.append(access()), log.append(access())
        await first
        await second
        third = log.append(access())
        await asyncio.sleep(0)  # what was handed over at once is under way now
        await asyncio.sleep(0)
        fourth = log.append(access())
        await third
        await fourth

    bench.run(story)
    counts = [len(entries) for _, entries, _ in rows(bench.folder)]
    assert counts[1:-1] == commits


def test_a_log_that_keeps_its_distance_still_writes_all_when_it_is_closed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=replace(PATIENT, crowd=1, spacing=0.2))

    async def story(log: AuditLog) -> None:
        await log.append(access())
        log.append(access())

    bench.run(story)
    assert kinds_in(bench.folder)[-3:] == ["access", "access", "close"]


def test_a_planned_end_that_is_turned_away_leaves_no_exchange_open(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=replace(PATIENT, queue=2, reserve=0))

    async def story(log: AuditLog) -> None:
        first = await log.append(begin(exchange_id(1)))
        bench.faults.gate.clear()
        waiting = [log.append(access()), log.append(access())]
        entry = end(exchange_id(1), first.index)
        with pytest.raises(Unavailable):
            log.plan(Draft(entry.id, entry.begin, 0, lambda: (entry, None), lambda: entry))
        bench.faults.gate.set()
        for each in waiting:
            await each

    bench.run(story)
    assert kinds_in(bench.folder)[2:] == ["begin", "access", "access", "abandoned", "close"]
