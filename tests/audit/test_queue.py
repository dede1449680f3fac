from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from gateway.audit.batch import Batch, Stall
from gateway.audit.canonical import EntryError, decode, encode
from gateway.audit.contract import Sealed
from gateway.audit.entry import Abandoned, Begin, End, Entry
from gateway.audit.merkle import leaf_hash
from gateway.audit.queue import BATCH, SNAPSHOT, Orphan, Queue
from gateway.audit.recovery import follow
from gateway.errors import Unavailable
from tests.audit.entries import abandoned, access, attempt, begin, end, exchange_id, exchange_ids


def fresh(first: int = 0, **open_begins: int) -> Queue:
    return Queue(first, open_begins, stall=Stall())


def batches(queue: Queue) -> Iterator[Batch]:
    while (batch := queue.swap()) is not None:
        yield batch


def test_indices_are_contiguous_over_batches_and_hashes_are_those_of_the_bytes() -> None:
    queue = fresh(first=40)
    pendings = [queue.enter(access(str(number))) for number in range(2 * BATCH + 3)]
    assert [each.index for each in pendings] == list(range(40, 40 + 2 * BATCH + 3))
    assert queue.next == 40 + 2 * BATCH + 3
    taken = list(batches(queue))
    assert [each.count for each in taken] == [BATCH, BATCH, 3]
    assert [each.first for each in taken] == [40, 40 + BATCH, 40 + 2 * BATCH]
    stored = [entry for each in taken for entry in each.entries]
    assert stored == [encode(access(str(number))) for number in range(len(pendings))]
    assert [each.leaf_hash for each in pendings] == [leaf_hash(entry) for entry in stored]
    assert [leaf for each in taken for leaf in each.leaves] == [each.leaf_hash for each in pendings]


def test_length_and_size_count_until_a_batch_is_written() -> None:
    queue = fresh()
    sealed = Sealed(exchange_id(1), "acme", b"x" * 1000, b"key", 1, b"digest", "2026-11-24")
    queue.enter(access(), sealed)
    queue.enter(access())
    assert (queue.length, queue.size) == (2, 2 * len(encode(access())) + 1000)
    batch = queue.swap()
    assert batch is not None
    assert batch.sealed == [sealed]
    assert queue.length == 2
    queue.settle(batch)
    assert (queue.length, queue.size) == (0, 0)
    assert queue.swap() is None


def test_the_newest_batch_is_the_one_that_is_written_last() -> None:
    queue = fresh()
    assert queue.newest() is None
    for number in range(BATCH):
        queue.enter(access(str(number)))
    newest = queue.newest()
    assert newest is not None
    assert newest.count == BATCH
    queue.enter(access())
    assert queue.newest() is not newest
    assert queue.swap() is newest


@pytest.mark.parametrize("make", [end, attempt, abandoned], ids=["end", "attempt", "abandoned"])
def test_nothing_points_at_a_begin_that_is_not_there(make: Callable[[str, int], Entry]) -> None:
    queue = fresh()
    index = queue.enter(begin(exchange_id(1))).index
    for exchange, wrong in ((exchange_id(2), index), (exchange_id(1), index + 1)):
        with pytest.raises(Unavailable, match="audit log"):
            queue.enter(make(exchange, wrong))
    assert queue.next == 1
    queue.enter(make(exchange_id(1), index))


def test_an_exchange_ends_once() -> None:
    queue = fresh()
    index = queue.enter(begin(exchange_id(1))).index
    queue.enter(attempt(exchange_id(1), index))
    queue.enter(end(exchange_id(1), index))
    assert queue.open == 0
    for again in (end(exchange_id(1), index), abandoned(exchange_id(1), index)):
        with pytest.raises(Unavailable):
            queue.enter(again)


def test_an_end_that_is_no_entry_leaves_an_orphan() -> None:
    queue = fresh()
    index = queue.enter(begin(exchange_id(1))).index
    with pytest.raises(EntryError):
        queue.enter(replace(end(exchange_id(1), index), bytes=-1))
    assert queue.orphans() == [Orphan(exchange_id(1), index, "assumed")]
    queue.enter(abandoned(exchange_id(1), index))
    assert queue.orphans() == []
    assert queue.open == 0


def test_only_an_end_that_was_due_can_be_given_up() -> None:
    queue = fresh()
    index = queue.enter(begin(exchange_id(1))).index
    queue.give_up(begin(exchange_id(2)))
    queue.give_up(end(exchange_id(2), index))
    assert queue.orphans() == []
    queue.give_up(end(exchange_id(1), index))
    assert [each.id for each in queue.orphans()] == [exchange_id(1)]


def test_after_a_loss_all_waiters_are_told_and_what_it_told_is_told_again() -> None:
    queue = fresh()
    told: list[str] = []

    async def story() -> list[str]:
        pendings = [queue.enter(access(str(number)), undo=lambda: told.append("again")) for number in range(BATCH + 1)]
        queue.drop("EIO")
        outcomes = []
        for each in (pendings[0], pendings[-1]):
            with pytest.raises(Unavailable) as caught:
                await each
            outcomes.append(caught.value.reason)
        return outcomes

    assert asyncio.run(story()) == ["audit: lost with others"] * 2
    assert len(told) == BATCH + 1
    assert (queue.length, queue.size) == (0, 0)
    assert queue.swap() is None


def test_a_begin_that_was_lost_is_forgotten() -> None:
    queue = fresh()
    index = queue.enter(begin(exchange_id(1))).index
    queue.drop("EIO")
    queue.give_up(end(exchange_id(1), index))
    queue.restart(0, {}, undispatched=())
    assert queue.orphans() == []
    with pytest.raises(Unavailable):
        queue.enter(end(exchange_id(1), index))


def test_after_a_failure_what_the_disk_holds_open_and_nobody_will_end_is_an_orphan() -> None:
    alive, ended, given_up, doubtful = (exchange_id(number) for number in range(1, 5))
    queue = fresh(10, **{alive: 1, ended: 2, given_up: 3})
    queue.enter(end(ended, 2))
    queue.give_up(end(given_up, 3))
    queue.enter(begin(doubtful))
    batch = queue.swap()
    assert batch is not None
    queue.lose(batch, "EIO")
    queue.drop("EIO")
    # The end was lost, the begin is found on the disk although its waiter was told that it is not.
    on_disk = {alive: 1, ended: 2, given_up: 3, doubtful: 11}
    queue.restart(12, on_disk, undispatched=batch.begun)
    assert queue.orphans() == [Orphan(ended, 2, "assumed"), Orphan(given_up, 3, "assumed"), Orphan(doubtful, 11, "none")]
    assert queue.enter(end(alive, 1)).index == 12


def test_a_batch_now_and_then_tells_what_is_open_after_it() -> None:
    queue = fresh(0, **{exchange_id(0): 0})
    ids = exchange_ids()
    snapshots: dict[int, dict[str, int]] = {}
    written: list[bytes] = []
    while len(written) < 3 * SNAPSHOT:
        exchange = next(ids)
        index = queue.enter(begin(exchange)).index
        if index % 7:
            queue.enter(end(exchange, index))
        if index % 100 < 2 or queue.length > 3 * BATCH:
            for batch in batches(queue):
                written += batch.entries
                queue.settle(batch)
                if batch.open is not None:
                    snapshots[batch.following] = msgspec.json.decode(batch.open, type=dict[str, int])
    places = sorted(snapshots)
    assert all(later - earlier <= SNAPSHOT + BATCH for earlier, later in pairwise(places))
    assert len(places) >= 3
    for place, found in snapshots.items():
        expected = {exchange_id(0): 0}
        follow(expected, written[:place], first=0)
        assert found == expected


class Life(RuleBasedStateMachine):
    """Whatever happens in whichever order, what is on the disk is one begin and at most one end for each exchange."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = fresh()
        self.ids = exchange_ids()
        self.disk: list[bytes] = []
        self.alive: dict[str, int] = {}
        self.unacknowledged: dict[str, int] = {}
        self.failed = False

    @precondition(lambda self: not self.failed)
    @rule()
    def begins(self) -> None:
        exchange = next(self.ids)
        self.unacknowledged[exchange] = self.queue.enter(begin(exchange)).index

    @precondition(lambda self: self.alive or self.unacknowledged)
    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        known = self.unacknowledged | self.alive
        exchange = data.draw(st.sampled_from(sorted(known)))
        if self.failed:
            self.queue.give_up(end(exchange, known[exchange]))
        else:
            self.queue.enter(end(exchange, known[exchange]))
        self.alive.pop(exchange, None)
        self.unacknowledged.pop(exchange, None)

    @precondition(lambda self: not self.failed)
    @rule()
    def writes(self) -> None:
        self.abandons()
        batch = self.queue.swap()
        if batch is not None:
            self.disk += batch.entries
            for exchange in batch.begun:
                if exchange in self.unacknowledged:
                    self.alive[exchange] = self.unacknowledged.pop(exchange)
            self.queue.settle(batch)

    @precondition(lambda self: not self.failed)
    @rule(reached_the_disk=st.booleans())
    def fails(self, reached_the_disk: bool) -> None:
        batch = self.queue.swap()
        self.begun = []
        if batch is not None:
            if reached_the_disk:
                self.disk += batch.entries
            self.begun = batch.begun
            self.queue.lose(batch, "EIO")
        self.queue.drop("EIO")
        self.unacknowledged.clear()
        self.failed = True

    @precondition(lambda self: self.failed)
    @rule()
    def recovers(self) -> None:
        on_disk: dict[str, int] = {}
        follow(on_disk, self.disk, first=0)
        self.queue.restart(len(self.disk), on_disk, undispatched=self.begun)
        self.abandons()
        self.failed = False

    def abandons(self) -> None:
        for each in self.queue.orphans():
            self.queue.enter(abandoned(each.id, each.begin))

    @invariant()
    def the_disk_holds_one_story(self) -> None:
        begun: dict[str, int] = {}
        for index, data in enumerate(self.disk):
            entry = decode(data)
            if isinstance(entry, Begin):
                assert entry.id not in begun
                begun[entry.id] = index
            elif isinstance(entry, (End, Abandoned)):
                assert begun[entry.id] == entry.begin
                begun[entry.id] = -1

    def teardown(self) -> None:
        """In the end, when everyone alive has ended, nothing is open on the disk."""
        if self.failed:
            self.recovers()
        for exchange, index in (self.alive | self.unacknowledged).items():
            self.queue.enter(end(exchange, index))
        self.alive.clear()
        self.unacknowledged.clear()
        while self.queue.length:
            self.writes()
        self.the_disk_holds_one_story()
        on_disk: dict[str, int] = {}
        follow(on_disk, self.disk, first=0)
        assert on_disk == {}
        assert self.queue.open == 0


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=40)
