"""The log: what it acknowledges is durable, where it says, in the order of its indices; and how it ends."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.audit.canonical import EntryError, encode
from gateway.audit.clock import Clock
from gateway.audit.contract import Receipt, Sealed
from gateway.audit.entry import ClockStep, Close, Gap, Refused
from gateway.audit.log import CLOSED, FULL, AuditLog, Limits
from gateway.audit.merkle import leaf_hash
from gateway.audit.queue import BATCH
from gateway.audit.slots import claim
from tests.audit.entries import access, begin, end, exchange_id, exchange_ids
from tests.audit.logs import IMPATIENT, PATIENT, Bench, entries_in, kinds_in, refused, rows, why

# What holds while all is well.


def test_a_receipt_tells_where_an_entry_is_on_the_disk(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> list[Receipt]:
        first = await log.append(begin(exchange_id(1)))
        last = await log.append(end(exchange_id(1), first.index))
        assert rows(bench.folder)[-1][1] == [encode(end(exchange_id(1), first.index))]
        return [first, last]

    receipts = bench.run(story)
    stored = [each for _, entries, _ in rows(bench.folder) for each in entries]
    assert [each.index for each in receipts] == [2, 3]
    assert [stored[each.index] for each in receipts] == [encode(begin(exchange_id(1))), encode(end(exchange_id(1), 2))]
    assert [each.leaf_hash for each in receipts] == [leaf_hash(stored[each.index]) for each in receipts]
    assert kinds_in(bench.folder) == ["genesis", "config", "begin", "end", "close"]
    assert bench.watch.told == []
    assert bench.watch.written == 3


def test_what_many_append_at_once_is_acknowledged_to_each_of_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ids = exchange_ids()
    receipts: dict[int, bytes] = {}

    async def story(log: AuditLog) -> None:
        async def client() -> None:
            for _ in range(20):
                exchange = next(ids)
                first = await log.append(begin(exchange))
                last = await log.append(end(exchange, first.index))
                receipts.update({first.index: first.leaf_hash, last.index: last.leaf_hash})

        async with asyncio.TaskGroup() as group:
            for _ in range(64):
                group.create_task(client())

    bench.run(story)
    assert len(receipts) == 64 * 20 * 2
    leaves = b"".join(leaves for _, _, leaves in rows(bench.folder))
    assert all(leaves[32 * index :][:32] == leaf for index, leaf in receipts.items())
    assert len(rows(bench.folder)) < len(receipts) / 8, "entries become durable together"
    assert len(entries_in(bench.folder)) == len(receipts) + 3


def test_while_one_batch_is_being_written_the_next_one_fills(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=PATIENT)

    async def story(log: AuditLog) -> None:
        bench.faults.gate.clear()
        first = log.append(access("0"))
        await asyncio.sleep(0)
        others = [log.append(access(str(number))) for number in range(BATCH + 7)]
        assert log.waiting == BATCH + 8
        bench.faults.gate.set()
        assert (await others[-1]).index == first.index + BATCH + 7
        await first
        assert log.waiting == 0

    bench.run(story)
    assert [len(entries) for _, entries, _ in rows(bench.folder)] == [2, 1, BATCH, 7, 1]


def test_what_comes_in_one_turn_of_the_loop_is_one_batch(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        for number in range(10):
            log.append(access(str(number)))

    bench.run(story)
    # Nobody awaited them: closing the log waits for them, and its own entry came in the same turn.
    assert [len(entries) for _, entries, _ in rows(bench.folder)] == [2, 11]


def test_an_entry_is_written_whether_or_not_it_is_awaited_to_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        bench.faults.gate.clear()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(log.append(access("patience")), 0.01)
        bench.faults.gate.set()

    bench.run(story)
    assert kinds_in(bench.folder) == ["genesis", "config", "access", "close"]


def test_an_entry_with_a_value_outside_its_type_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        with pytest.raises(EntryError):
            log.append(replace(access(), reason="x" * 2000))
        assert (await log.append(access())).index == 2

    bench.run(story)


def test_a_payload_is_never_dropped_in_silence(tmp_path: Path) -> None:
    async def story(log: AuditLog) -> None:
        sealed = Sealed(exchange_id(1), "acme", b"blob", b"key", 1, b"digest", "2026-11-24")
        first = await log.append(begin(exchange_id(1)))
        with pytest.raises(ValueError, match="no store of payloads"):
            log.append(end(exchange_id(1), first.index), sealed)

    Bench(tmp_path).run(story)


def test_a_clock_that_was_set_is_entered_before_what_follows(tmp_path: Path) -> None:
    offset = 0
    bench = Bench(tmp_path, clock=Clock(lambda: 1_795_500_000_000_000_000 + offset, lambda: 0))

    async def story(log: AuditLog) -> None:
        nonlocal offset
        await log.append(access())
        offset = -5_000_000_000
        await log.append(access())

    bench.run(story)
    (step,) = [each for each in entries_in(bench.folder) if isinstance(each, ClockStep)]
    assert step.step == -5_000_000


# What is counted and told later.


def test_exchanges_that_went_on_unrecorded_are_told_of_when_the_log_works_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        bench.faults.next_write = "SQLITE_IOERR_WRITE"
        await refused(log.append(begin(exchange_id(1))))
        log.missed()
        why(log, begin(exchange_id(2)))
        log.missed()
        await bench.watch.until(lambda: log.condition == "ok")
        await log.append(access())

    bench.run(story)
    gap = entries_in(bench.folder)[2]
    assert isinstance(gap, Gap)
    assert (gap.exchanges, gap.reason) == (2, "SQLITE_IOERR_WRITE")
    assert gap.since <= gap.until <= gap.at


def test_a_hole_is_told_of_at_once_where_the_log_can_still_be_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, percent=96)

    async def story(log: AuditLog) -> None:
        why(log, begin(exchange_id(1)))
        log.missed()
        await bench.watch.until(lambda: bench.watch.written > 0)

    bench.run(story)
    gap = entries_in(bench.folder)[2]
    assert isinstance(gap, Gap)
    assert (gap.exchanges, gap.reason) == (1, FULL)


@pytest.mark.parametrize("fault", ["SQLITE_IOERR_WRITE", "after"])
def test_a_hole_is_told_of_once_whatever_became_of_the_first_telling(tmp_path: Path, fault: str) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        bench.faults.next_write = "SQLITE_IOERR_WRITE"
        await refused(log.append(begin(exchange_id(1))))
        log.missed()
        bench.faults.next_write = fault  # the first entry after the log was opened anew tells of the hole
        await bench.watch.until(lambda: len(bench.watch.told) == 4)
        await bench.watch.until(lambda: log.waiting == 0)

    bench.run(story)
    assert [event[0] for event in bench.watch.told] == ["failed", "recovered"] * 2
    gaps = [each for each in entries_in(bench.folder) if isinstance(each, Gap)]
    assert [each.exchanges for each in gaps] == [1]


def test_refusals_are_told_of_at_the_latest_when_the_log_closes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        log.refused("invalid_api_key")
        log.refused("invalid_api_key")
        assert [log.folds("model_not_found", tenant="acme", key="abc") for _ in range(61)] == [False] * 60 + [True]

    bench.run(story)
    refusals = entries_in(bench.folder)[2]
    assert isinstance(refusals, Refused)
    assert [(each.code, each.tenant, each.key, each.count) for each in refusals.refusals] == [
        ("invalid_api_key", "", "", 2),
        ("model_not_found", "acme", "abc", 1),
    ]


def test_refusals_are_told_of_when_their_minute_is_over(tmp_path: Path) -> None:
    almost = 7 * 60_000_000_000 - 20_000_000
    bench = Bench(tmp_path, clock=Clock(lambda: almost, lambda: 0))

    async def story(log: AuditLog) -> None:
        log.refused("not_found")
        await bench.watch.until(lambda: bench.watch.written > 0)

    bench.run(story)
    assert kinds_in(bench.folder) == ["genesis", "config", "refused", "close"]


def test_refusals_whose_minute_ends_while_the_log_has_failed_are_told_of_later(tmp_path: Path) -> None:
    almost = 7 * 60_000_000_000 - 1_000_000
    bench = Bench(tmp_path, clock=Clock(lambda: almost, lambda: 0))

    async def story(log: AuditLog) -> None:
        bench.faults.cannot_open = True
        bench.faults.next_write = "SQLITE_IOERR_WRITE"
        await refused(log.append(access()))
        log.refused("not_found")
        await asyncio.sleep(0.01)  # the loop's timer for the minute's end comes before this one
        bench.faults.cannot_open = False
        await bench.watch.until(lambda: log.condition == "ok")

    bench.run(story)
    assert kinds_in(bench.folder) == ["genesis", "config", "refused", "close"]


# The end.


def test_a_closed_log_says_so_and_takes_nothing_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> str:
        await log.append(begin(exchange_id(1)))
        await log.close()
        assert why(log, begin(exchange_id(2))) == CLOSED
        return log.identity.boot

    boot = bench.run(story)
    goodbye = entries_in(bench.folder)[-1]
    assert isinstance(goodbye, Close)
    assert (goodbye.boot, goodbye.open) == (boot, 1)


def test_its_last_entry_is_its_goodbye_whatever_else_there_is_to_say(tmp_path: Path) -> None:
    offset = 0
    bench = Bench(tmp_path, clock=Clock(lambda: 1_795_500_000_000_000_000 + offset, lambda: 0))

    async def story(log: AuditLog) -> None:
        nonlocal offset
        first = await log.append(begin(exchange_id(1)))
        with pytest.raises(EntryError):
            log.append(replace(end(exchange_id(1), first.index), bytes=-1))
        log.refused("not_found")
        log.missed()
        offset = 5_000_000_000

    bench.run(story)
    assert kinds_in(bench.folder)[2:] == ["begin", "clockstep", "abandoned", "refused", "gap", "close"]


def test_a_log_that_was_never_used_closes_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def nothing(_: AuditLog) -> None:
        return

    bench.run(nothing)
    assert kinds_in(bench.folder) == ["genesis", "config", "close"]
    bench.run(nothing)
    assert kinds_in(bench.folder) == ["genesis", "config", "close", "config", "close"]


def test_a_log_that_has_failed_tries_once_more_before_it_closes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        bench.faults.next_write = "SQLITE_FULL"
        await refused(log.append(begin(exchange_id(1))))
        log.missed()

    bench.run(story)
    assert kinds_in(bench.folder) == ["genesis", "config", "gap", "close"]


def test_a_goodbye_that_fails_is_said_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def story(log: AuditLog) -> None:
        await log.append(access())
        bench.faults.next_write = "SQLITE_IOERR_WRITE"

    bench.run(story)
    assert kinds_in(bench.folder) == ["genesis", "config", "access", "close"]


def test_a_disk_that_never_works_again_does_not_keep_the_process(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=dataclasses.replace(PATIENT, close=0.2))

    async def story(log: AuditLog) -> None:
        await log.append(begin(exchange_id(1)))
        bench.faults.fail_from_now_on("SQLITE_IOERR_WRITE")
        bench.faults.cannot_open = True

    bench.run(story)
    bench.faults.fail_from_now_on(None)
    bench.faults.cannot_open = False
    again = bench.open()
    assert kinds_in(bench.folder) == ["genesis", "config", "begin", "abandoned", "config"]
    asyncio.run(again.close())


@pytest.mark.parametrize("limits", [dataclasses.replace(PATIENT, close=0.2), IMPATIENT], ids=["out of time", "stalled"])
def test_a_disk_that_hangs_does_not_keep_the_process_but_its_slot(tmp_path: Path, limits: Limits) -> None:
    bench = Bench(tmp_path, limits=limits)
    log = bench.open()

    async def story() -> None:
        bench.faults.gate.clear()
        log.append(access())
        await log.close()

    asyncio.run(story())
    other = claim(tmp_path)
    assert other.name == "1"
    other.release()
    bench.faults.gate.set()


def test_a_closed_log_frees_its_slot(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(2):
        log = bench.open()
        assert log.identity.slot == "0"
        asyncio.run(log.close())
