"""What is known of a key never holds longer than it may."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.caller.callers import Callers
from gateway.caller.keys import open_keys
from gateway.errors import Unauthenticated
from gateway.settings.tree import Store
from tests.caller.fakes import NOW, Clock, Keys, admitted, refused, run, settled, until


def test_a_key_expires_at_its_second_also_from_memory(keys: Keys, clock: Clock) -> None:
    key = keys.add(expires=int(NOW) + 10)

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        clock.pass_(9.5)
        assert callers.lookup(key) is not None
        clock.pass_(0.5)
        with pytest.raises(Unauthenticated):
            callers.lookup(key)
        await refused(callers, key)

    run(keys, clock, use)
    assert len(keys.lookups) == 1


def test_a_wall_clock_that_is_set_back_does_not_prolong_what_is_known(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        clock.pass_(30)
        clock.wall -= 3600
        assert callers.lookup(key) is None

    run(keys, clock, use)


def test_a_revocation_elsewhere_holds_after_30_seconds_at_the_latest(store: Store, clock: Clock) -> None:
    keys, elsewhere = open_keys(store), open_keys(store)
    key, record = keys.create("acme")

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        await asyncio.to_thread(elsewhere.revoke, record.id)
        clock.pass_(19.5)
        assert callers.lookup(key) is not None
        clock.pass_(10.5)
        assert callers.lookup(key) is None
        await refused(callers, key)

    try:
        run(keys, clock, use)
    finally:
        keys.close()
        elsewhere.close()


def test_a_key_in_use_is_looked_up_again_beside_its_requests(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        clock.pass_(20)
        keys.answering.clear()
        assert [callers.lookup(key) is None for _ in range(5)] == [False] * 5
        keys.answering.set()
        await settled(callers)
        clock.pass_(19.5)
        assert callers.lookup(key) is not None

    run(keys, clock, use)
    assert len(keys.lookups) == 2


def test_a_revocation_elsewhere_is_seen_when_a_key_in_use_is_looked_up_again(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        keys.records[key[4:16]] = replace(keys.records[key[4:16]], revoked=int(NOW))
        clock.pass_(20)
        assert callers.lookup(key) is not None
        await settled(callers)
        await refused(callers, key)

    run(keys, clock, use)


def test_a_key_that_vanished_is_refused_once_it_is_looked_up_again(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        keys.records.clear()
        clock.pass_(20)
        assert callers.lookup(key) is not None
        await settled(callers)
        await refused(callers, key)

    run(keys, clock, use)


def test_a_slow_answer_counts_from_when_it_was_asked_for(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        keys.answering.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(callers.identify(key))
            await until(lambda: callers._lookups)
            clock.pass_(25)
            keys.answering.set()
        clock.pass_(5)
        assert callers.lookup(key) is None

    run(keys, clock, use)


def test_a_revocation_in_this_process_holds_at_once(store: Store, clock: Clock) -> None:
    keys = open_keys(store)
    key, record = keys.create("acme")

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        await asyncio.to_thread(keys.revoke, record.id)
        assert callers.lookup(key) is None
        await refused(callers, key)

    try:
        run(keys, clock, use)
    finally:
        keys.close()


def test_a_revocation_holds_against_an_answer_that_is_on_its_way(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        keys.answering.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(callers.identify(key))  # it asked before the revocation: it may get in
            await until(lambda: keys.lookups)
            await asyncio.to_thread(keys.revoke, key)
            group.create_task(refused(callers, key))
            await until(lambda: len(keys.lookups) == 2)
            keys.answering.set()
        await refused(callers, key)

    run(keys, clock, use)


def test_that_a_key_is_unknown_is_soon_forgotten(keys: Keys, clock: Clock) -> None:
    key = keys.add()
    record = keys.records.pop(key[4:16])

    async def use(callers: Callers) -> None:
        await refused(callers, key)
        keys.records[record.id] = record
        clock.pass_(4.5)
        await refused(callers, key)
        clock.pass_(0.5)
        await admitted(callers, key)
        assert callers.lookup(key) is not None

    run(keys, clock, use)
    assert len(keys.lookups) == 2
