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

from gateway.audit.batch import Batch, Draft, Stall
from gateway.audit.canonical import EntryError, decode, encode
from gateway.audit.contract import Sealed
from gateway.audit.entry import Abandoned, Begin, End, Entry
from gateway.audit.merkle import leaf_hash
from gateway.audit.queue import BATCH, ROW, SNAPSHOT, Orphan, Queue
from gateway.audit.recovery import follow
from gateway.errors import Unavailable
from tests.audit.entries import abandoned, access, attempt, begin, end, exchange_id, exchange_ids


def fresh(first: int = 0, **open_begins: int) -> Queue:
    return Queue(first, open_begins, stall=Stall())


def batches(queue: Queue) -> Iterator[Batch]:
    while (batch := queue.swap()) is not None:
        yield batch


def draft(entry: Begin | End, *, bare: Entry | None = None, sealed: Sealed | None = None, weight: int = 0) -> Draft:
    """Return a draft of an entry; with `bare` it cannot be made."""

    def make() -> tuple[Entry, Sealed | None]:
        if bare is not None:
            raise ValueError("it cannot be made")
        return entry, sealed

    return Draft(entry.id, entry.begin if isinstance(entry, End) else None, weight, make, lambda: bare or entry)


def test_a_draft_has_its_place_at_once_and_its_bytes_when_its_batch_is_handed_over() -> None:
    queue = fresh(first=5)
    sealed = Sealed(exchange_id(1), "acme", b"x" * 10, b"key", 1, b"digest", "2026-11-24")
    first, last = begin(exchange_id(1)), end(exchange_id(1), 5)
    begun = queue.plan(draft(first))
    between = queue.enter(access())
    ended = queue.plan(draft(last, sealed=sealed))
    assert [begun.index, between.index, ended.index] == [5, 6, 7]
    assert (begun.leaf_hash, ended.leaf_hash) == (b"", b"")
    batch = queue.swap()
    assert batch is not None
    assert batch.entries == [encode(first), encode(access()), encode(last)]
    assert batch.leaves == [leaf_hash(each) for each in batch.entries]
    assert [begun.leaf_hash, between.leaf_hash, ended.leaf_hash] == batch.leaves
    assert (batch.sealed, batch.begun, queue.open) == ([sealed], [exchange_id(1)], 0)


def test_drafts_are_made_in_rows_so_that_handing_over_never_takes_long() -> None:
    queue = fresh()
    pendings = [queue.plan(draft(begin(exchange_id(number)))) for number in range(ROW + 1)]
    assert [bool(each.leaf_hash) for each in pendings] == [True] * ROW + [False]


def test_a_full_batch_of_drafts_makes_room_for_the_next_one() -> None:
    queue = fresh()
    pendings = [queue.plan(draft(begin(exchange_id(number)))) for number in range(BATCH + 1)]
    assert [each.index for each in pendings] == list(range(BATCH + 1))
    assert [each.count for each in batches(queue)] == [BATCH, 1]


def test_a_draft_that_cannot_be_made_leaves_its_bare_form_and_harms_no_other() -> None:
    queue = fresh()
    spoilt = queue.plan(draft(begin(exchange_id(1)), bare=begin(exchange_id(1))))
    wrong = queue.plan(draft(replace(end(exchange_id(1), 0), bytes=-1)))
    other = queue.enter(access())
    assert (spoilt.index, wrong.index, other.index) == (0, 1, 2)
    wrong_bare = end(exchange_id(1), 0)
    place, plan, pending = queue._filling.drafts[1]
    queue._filling.drafts[1] = (place, Draft(plan.exchange, plan.begin, 0, plan.make, lambda: wrong_bare), pending)
    batch = queue.swap()
    assert batch is not None
    assert batch.entries == [encode(begin(exchange_id(1))), encode(wrong_bare), encode(access())]

    async def told() -> None:
        batch.succeed()
        with pytest.raises(ValueError, match="cannot be made"):
            await spoilt
        with pytest.raises(EntryError):
            await wrong
        assert (await other).index == 2

    asyncio.run(told())


def test_what_a_draft_keeps_in_memory_counts_until_its_batch_is_written() -> None:
    queue = fresh()
    queue.plan(draft(begin(exchange_id(1)), weight=1000))
    assert (queue.length, queue.size) == (1, 1000)
    batch = queue.swap()
    assert batch is not None
    queue.settle(batch)
    assert (queue.length, queue.size) == (0, 0)


def test_drafts_are_held_to_the_rules_of_begins_and_ends() -> None:
    queue = fresh()
    index = queue.plan(draft(begin(exchange_id(1)))).index
    with pytest.raises(Unavailable, match="audit log"):
        queue.plan(draft(end(exchange_id(2), index)))
    queue.give_up(draft(end(exchange_id(1), index)))
    assert queue.orphans() == [Orphan(exchange_id(1), index, "assumed")]
    queue.plan(draft(end(exchange_id(1), index)))
    assert queue.orphans() == []
    with pytest.raises(Unavailable):
        queue.plan(draft(end(exchange_id(1), index)))


def test_a_draft_that_is_lost_with_its_batch_is_never_made() -> None:
    queue = fresh()
    made: list[str] = []
    entry = begin(exchange_id(1))

    def make() -> tuple[Entry, None]:
        made.append("made")
        return entry, None

    queue.plan(Draft(entry.id, None, 0, make, lambda: entry))
    queue.drop("EIO")
    assert queue.swap() is None
    assert made == []


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
    @rule(planned=st.booleans())
    def begins(self, planned: bool) -> None:
        exchange = next(self.ids)
        entry = begin(exchange)
        pending = self.queue.plan(draft(entry)) if planned else self.queue.enter(entry)
        self.unacknowledged[exchange] = pending.index

    @precondition(lambda self: self.alive or self.unacknowledged)
    @rule(data=st.data(), planned=st.booleans())
    def ends(self, data: st.DataObject, planned: bool) -> None:
        known = self.unacknowledged | self.alive
        exchange = data.draw(st.sampled_from(sorted(known)))
        entry = end(exchange, known[exchange])
        if self.failed:
            self.queue.give_up(draft(entry) if planned else entry)
        elif planned:
            self.queue.plan(draft(entry))
        else:
            self.queue.enter(entry)
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
