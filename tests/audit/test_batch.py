from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.audit.batch import STALLED, Batch, Pending, Stall, unavailable
from gateway.audit.contract import Receipt, Sealed
from gateway.errors import Unavailable


def batch_of(*entries: bytes, stall: Stall | None = None, first: int = 7) -> Batch:
    batch = Batch(first, stall or Stall())
    for entry in entries:
        batch.add(entry, entry * 2, sealed=None, undo=None)
    return batch


def pending(batch: Batch, *, begin: bool = False) -> Pending:
    return Pending(batch, 7, leaf_hash=b"leaf", begin=begin)


async def outcome(each: Awaitable[Receipt]) -> str:
    try:
        await each
    except Unavailable as error:
        return error.reason
    return "durable"


def run(*waiting: Pending, then: Callable[[], None]) -> list[str]:
    """Await all of these, do something while they wait, and return what became of them."""

    async def story() -> list[str]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(outcome(each)) for each in waiting]
            await asyncio.sleep(0)
            assert not any(task.done() for task in tasks)
            then()
        return [task.result() for task in tasks]

    return asyncio.run(story())


def test_the_error_says_when_to_try_again_and_not_what_is_wrong() -> None:
    error = unavailable("SQLITE_FULL")
    assert (error.status, error.code, error.reason) == (503, "audit_unavailable", "audit: SQLITE_FULL")
    assert error.retry_after == 5.0
    assert "SQLITE" not in error.message


def test_everyone_who_waits_gets_a_receipt_when_the_batch_is_durable() -> None:
    batch = batch_of(b"a", b"b")
    assert run(pending(batch), pending(batch, begin=True), pending(batch), then=batch.succeed) == ["durable"] * 3
    assert asyncio.run(asyncio.wait_for(pending(batch), 1)) == Receipt(7, b"leaf")


def test_everyone_who_waits_and_who_comes_later_is_told_of_a_loss() -> None:
    batch = batch_of(b"a")
    assert run(pending(batch), pending(batch, begin=True), then=lambda: batch.fail("EIO")) == ["audit: EIO"] * 2
    assert asyncio.run(outcome(pending(batch))) == "audit: lost with others"


def test_a_waiter_that_was_cancelled_takes_nobody_with_it() -> None:
    batch = batch_of(b"a")

    async def story() -> str:
        async with asyncio.TaskGroup() as group:
            cancelled = group.create_task(outcome(pending(batch)))
            other = group.create_task(outcome(pending(batch)))
            late = group.create_task(outcome(pending(batch, begin=True)))
            await asyncio.sleep(0)
            cancelled.cancel()
            late.cancel()
            await asyncio.sleep(0)
            batch.turn_away()
            batch.succeed()
        return other.result()

    assert asyncio.run(story()) == f"audit: {STALLED}"


def test_while_a_write_stalls_begins_are_told_first_and_then_everyone() -> None:
    stall = Stall()
    batch = batch_of(b"a", stall=stall)

    def begins_first() -> None:
        stall.whom = "begins"
        batch.turn_away()
        batch.succeed()

    assert run(pending(batch, begin=True), pending(batch), then=begins_first) == [f"audit: {STALLED}", "durable"]
    batch = batch_of(b"a", stall=stall)
    assert asyncio.run(outcome(pending(batch, begin=True))) == f"audit: {STALLED}"

    def then_everyone() -> None:
        stall.whom = "everyone"
        batch.turn_away()

    assert run(pending(batch), then=then_everyone) == [f"audit: {STALLED}"]
    assert asyncio.run(outcome(pending(batch))) == f"audit: {STALLED}"


def test_a_batch_counts_entries_and_the_bytes_of_their_payloads() -> None:
    batch = batch_of(b"abc", first=40)
    sealed = Sealed("id", "acme", b"x" * 100, b"key", 1, b"digest", "2026-11-24")
    batch.add(b"de", b"leaf", sealed=sealed, undo=None)
    assert (batch.first, batch.count, batch.following, batch.size) == (40, 2, 42, 105)
    assert batch.sealed == [sealed]


@pytest.mark.parametrize("end", [Batch.succeed, lambda batch: batch.fail("EIO")], ids=["durable", "lost"])
def test_who_keeps_a_pending_does_not_keep_what_others_wrote(end: Callable[[Batch], None]) -> None:
    others = Sealed("id", "acme", b"x" * 100, b"key", 1, b"digest", "2026-11-24")
    batch = batch_of(b"a")
    batch.add(b"b", b"leaf", sealed=others, undo=None)
    kept = pending(batch)
    end(batch)
    assert (batch.entries, batch.leaves, batch.sealed) == ([], [], [])
    assert kept.index == 7


def test_what_a_lost_batch_told_is_taken_back_when_it_is_surely_lost() -> None:
    told: list[str] = []
    batch = Batch(0, Stall())
    batch.add(b"a", b"", sealed=None, undo=lambda: told.append("a"))
    batch.fail("EIO")
    assert told == []
    batch.undo()
    assert told == ["a"]
