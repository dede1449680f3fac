from __future__ import annotations

import asyncio
from functools import partial

from gateway.audit.timers import Timers


def test_the_earliest_time_that_was_asked_for_counts() -> None:
    async def story() -> list[str]:
        timers = Timers()
        done = asyncio.Event()
        acted: list[str] = []
        timers.set("a", 60, lambda: acted.append("late"))
        timers.set("a", 0.001, lambda: acted.append("early"))
        timers.set("a", 30, lambda: acted.append("later"))
        timers.set("b", 0.005, done.set)
        await done.wait()
        assert not timers.cancel("a")
        return acted

    assert asyncio.run(story()) == ["early"]


def test_a_timer_can_be_set_again_from_within_itself() -> None:
    async def story() -> int:
        timers = Timers()
        done = asyncio.Event()
        count = 0

        def act() -> None:
            nonlocal count
            count += 1
            if count < 3:
                timers.set("a", 0.001, act)
            else:
                done.set()

        timers.set("a", 0.001, act)
        await done.wait()
        return count

    assert asyncio.run(story()) == 3


def test_what_was_cancelled_does_not_act() -> None:
    async def story() -> list[str]:
        timers = Timers()
        acted: list[str] = []
        done = asyncio.Event()
        for name in "abc":
            timers.set(name, 0.001, partial(acted.append, name))
        assert timers.cancel("a")
        assert not timers.cancel("a")
        timers.cancel_all()
        timers.set("d", 0.005, done.set)
        await done.wait()
        return acted

    assert asyncio.run(story()) == []
