"""Many requests at once cost one lookup, and no flood costs more than its bound."""

from __future__ import annotations

import asyncio

import pytest

from gateway.caller.callers import CallerLimits, Callers
from gateway.caller.key import new_key
from gateway.errors import Unavailable
from tests.caller.fakes import Clock, Keys, admitted, refused, run, until


def test_200_first_requests_of_one_key_make_one_lookup(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        keys.answering.clear()
        waiting = asyncio.gather(*(callers.identify(key) for _ in range(200)))
        await until(lambda: keys.lookups)
        keys.answering.set()
        assert len(set(await waiting)) == 1

    run(keys, clock, use)
    assert len(keys.lookups) == 1


def test_a_request_that_goes_away_leaves_the_lookup_to_the_others(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        keys.answering.clear()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(callers.identify(key))
            second = group.create_task(callers.identify(key))
            await until(lambda: keys.lookups)
            first.cancel()
            await asyncio.wait((first,))
            keys.answering.set()
        assert first.cancelled()
        assert second.result().key_id == key[4:16]

    run(keys, clock, use)
    assert len(keys.lookups) == 1


def test_what_is_known_is_bounded_and_the_oldest_goes(keys: Keys, clock: Clock) -> None:
    known = [keys.add() for _ in range(5)]

    async def use(callers: Callers) -> None:
        for key in known:
            await admitted(callers, key)
        for _ in range(9):
            await refused(callers, new_key().text)
        assert [callers.lookup(key) is not None for key in known] == [False, False, True, True, True]
        assert (len(callers._known), len(callers._unknown)) == (3, 4)

    run(keys, clock, use, limits=CallerLimits(deadline=30, max_known=3, max_unknown=4))


def test_a_flood_of_guesses_does_not_push_out_who_is_known(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        for _ in range(50):
            await refused(callers, new_key().text)
        assert callers.lookup(key) is not None

    run(keys, clock, use, limits=CallerLimits(deadline=30, max_known=2, max_unknown=2))


def test_too_many_lookups_at_once_are_refused_and_known_keys_are_not(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        keys.answering.clear()
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(refused(callers, new_key().text))
            await until(lambda: len(callers._lookups) == 3)
            with pytest.raises(Unavailable) as caught:
                await callers.identify(new_key().text)
            assert (caught.value.retry_after, caught.value.reason) == (1.0, "too many key lookups")
            clock.pass_(25)
            assert callers.lookup(key) is not None
            keys.answering.set()

    run(keys, clock, use, limits=CallerLimits(deadline=30, max_lookups=3))
