"""While the database is away nobody new is let in."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from gateway.caller.callers import CallerLimits, Callers
from gateway.caller.key import new_key
from gateway.caller.keys import open_keys
from gateway.errors import SettingsError, Unavailable
from gateway.settings.tree import Store
from tests.caller.fakes import NOW, Clock, Keys, admitted, refused, run, settled, until


def test_without_an_answer_in_time_nobody_is_let_in(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        keys.answering.clear()
        with pytest.raises(Unavailable) as caught:
            await callers.identify(key)
        assert (caught.value.status, caught.value.retry_after, caught.value.reason) == (503, 1.0, "key lookup past its deadline")
        keys.answering.set()
        await settled(callers)
        assert callers.lookup(key) is not None  # the late answer was not lost

    run(keys, clock, use, limits=CallerLimits(deadline=0.02))


def test_the_deadline_is_2_seconds_and_the_age_30() -> None:
    assert (CallerLimits().deadline, CallerLimits().max_age) == (2.0, 30.0)


def test_a_dead_database_refuses_and_what_is_known_lasts_its_30_seconds(store: Store, clock: Clock) -> None:
    keys = open_keys(store)
    known, unknown = keys.create("acme")[0], keys.create("acme")[0]

    def drop_table() -> None:
        with keys.engine.begin() as connection:
            connection.execute(text("DROP TABLE api_keys"))

    async def use(callers: Callers) -> None:
        await admitted(callers, known)
        await asyncio.to_thread(drop_table)
        with pytest.raises(Unavailable):
            await callers.identify(unknown)
        clock.pass_(29.5)
        await admitted(callers, known)
        await settled(callers)
        assert callers.lookup(known) is not None
        clock.pass_(0.5)
        with pytest.raises(Unavailable):
            await callers.identify(known)

    try:
        run(keys, clock, use)
    finally:
        keys.close()


def test_after_a_failure_a_known_key_is_looked_up_once_a_second(keys: Keys, clock: Clock) -> None:
    key = keys.add()

    async def use(callers: Callers) -> None:
        await admitted(callers, key)
        keys.failure = Unavailable("away", retry_after=1.0)
        clock.pass_(20)
        for _ in range(3):
            for _ in range(5):
                assert callers.lookup(key) is not None
                await settled(callers)
            clock.pass_(1)

    run(keys, clock, use)
    assert len(keys.lookups) == 1 + 3


@pytest.mark.parametrize("failure", [Unavailable("x", reason="OperationalError"), SettingsError("x"), RuntimeError("x")])
def test_whatever_fails_in_a_lookup_lets_nobody_in(keys: Keys, clock: Clock, failure: Exception) -> None:
    key = keys.add()
    keys.failure = failure

    async def use(callers: Callers) -> None:
        results = await asyncio.gather(*(callers.identify(key) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable] * 3
        assert len({id(result) for result in results}) == 3
        keys.failure = None
        await admitted(callers, key)

    run(keys, clock, use)


def test_a_live_key_under_another_pepper_is_our_failure_not_the_callers(keys: Keys, clock: Clock) -> None:
    key, revoked = keys.add(), keys.add(revoked=int(NOW))
    for key_id, record in keys.records.items():
        keys.records[key_id] = replace(record, pepper="another")

    async def use(callers: Callers) -> None:
        with pytest.raises(Unavailable) as caught:
            await callers.identify(key)
        assert caught.value.reason == "key made under another pepper"
        await refused(callers, revoked)

    run(keys, clock, use)


def test_closing_answers_who_still_waits(keys: Keys, clock: Clock) -> None:
    async def use(callers: Callers) -> None:
        keys.answering.clear()
        waiting = asyncio.gather(*(callers.identify(new_key().text) for _ in range(6)), return_exceptions=True)
        await until(lambda: len(keys.lookups) == 4)
        callers.close()
        keys.answering.set()
        results = await waiting
        assert sorted(type(result).__name__ for result in results) == ["Unauthenticated"] * 4 + ["Unavailable"] * 2

    run(keys, clock, use)
