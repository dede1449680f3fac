"""Keys in memory stay within their bytes, and room is never made by forgetting what has run."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Unavailable
from gateway.replay import memory, value
from gateway.replay.contract import Recording
from gateway.replay.memory import ENTRY_BYTES, MemoryStore
from tests.replay.places import Clock

FINGERPRINT = bytes(32)
RUNNING = ENTRY_BYTES + 49
SPENT = ENTRY_BYTES + 33


def token(name: str) -> bytes:
    return name.encode().rjust(16, b"\0")


async def run(store: MemoryStore, name: str) -> bytes | None:
    return await store.take(name, value.running(token(name), FINGERPRINT), ttl=60)


async def keep(store: MemoryStore, name: str, size: int = 1000) -> bool:
    recording = value.kept(FINGERPRINT, Recording([[{"text": "x" * size}]]), max_bytes=10_000_000)
    assert recording is not None
    return await store.put(name, recording, owner=value.owner(token(name)), ttl=1000)


async def state(store: MemoryStore, name: str) -> str:
    held = await store.take(name, value.running(token("?"), FINGERPRINT), ttl=60)
    return held[:1].decode() if held else "free"


def test_recordings_asked_for_least_recently_make_room_and_leave_their_keys_spent() -> None:
    async def story() -> list[str]:
        store = MemoryStore(max_total_bytes=3 * (ENTRY_BYTES + 1100) + RUNNING)
        for name in ("a", "b", "c"):
            await run(store, name)
            await keep(store, name)
        assert await state(store, "a") == "K"
        await run(store, "d")
        await keep(store, "d")
        return [await state(store, name) for name in ("a", "b", "c", "d")]

    assert asyncio.run(story()) == ["K", "S", "K", "K"]


def test_running_claims_and_spent_keys_are_never_dropped_for_room() -> None:
    async def story() -> None:
        store = MemoryStore(max_total_bytes=4 * RUNNING)
        for name in "abcd":
            await run(store, name)
        with pytest.raises(Unavailable) as caught:
            await run(store, "e")
        assert (caught.value.code, caught.value.retry_after) == ("idempotency_unavailable", 30.0)
        for name in "abcd":
            await keep(store, name)
        assert [await state(store, name) for name in "abcd"] == ["S"] * 4
        with pytest.raises(Unavailable):
            await run(store, "e")

    asyncio.run(story())


def test_an_answer_that_can_never_fit_does_not_push_the_others_out() -> None:
    async def story() -> list[str]:
        store = MemoryStore(max_total_bytes=10_000)
        await run(store, "a")
        await keep(store, "a")
        await run(store, "big")
        await keep(store, "big", 20_000)
        return [await state(store, name) for name in ("a", "big")]

    assert asyncio.run(story()) == ["K", "S"]


def test_room_comes_back_when_keys_end() -> None:
    async def story() -> None:
        clock = Clock()
        store = MemoryStore(clock=clock, max_total_bytes=2 * RUNNING)
        await run(store, "a")
        await run(store, "b")
        await clock.pass_time(61)
        await run(store, "c")
        assert store.total_bytes == RUNNING

    asyncio.run(story())


def test_a_long_silence_is_not_paid_for_in_one_call() -> None:
    async def story() -> list[int]:
        clock = Clock()
        store = MemoryStore(clock=clock)
        count = memory.EXPIRED_AT_ONCE * 2 + 10
        for number in range(count):
            await run(store, f"n{number}")
        await clock.pass_time(61)
        left = []
        for _ in range(4):
            await store.drop("none", owner=b"R")
            left.append(store.total_bytes // RUNNING)
        return left

    assert asyncio.run(story()) == [memory.EXPIRED_AT_ONCE + 10, 10, 0, 0]


def test_a_key_that_ended_is_free_although_others_are_still_to_be_removed() -> None:
    async def story() -> bytes | None:
        clock = Clock()
        store = MemoryStore(clock=clock)
        for number in range(memory.EXPIRED_AT_ONCE + 5):
            await run(store, f"n{number}")
        await clock.pass_time(0.5)
        await run(store, "last")
        await clock.pass_time(61)
        return await run(store, "last")

    assert asyncio.run(story()) is None


def test_an_old_end_does_not_end_what_came_after_it() -> None:
    async def story() -> str:
        clock = Clock()
        store = MemoryStore(clock=clock)
        await run(store, "a")
        await keep(store, "a")
        await clock.pass_time(61)
        return await state(store, "a")

    assert asyncio.run(story()) == "K"


steps = st.tuples(st.sampled_from(["run", "keep", "drop", "wait"]), st.sampled_from("abcdef"), st.integers(0, 3000))


@given(st.lists(steps, max_size=40))
def test_bytes_are_counted_exactly_and_stay_within_their_bound(story: list[tuple[str, str, int]]) -> None:
    async def play() -> None:
        clock = Clock()
        store = MemoryStore(clock=clock, max_total_bytes=5_000)
        for step, name, number in story:
            if step == "run":
                try:
                    await run(store, name)
                except Unavailable:
                    continue
            elif step == "keep" and await state_of(store, name):
                await keep(store, name, number)
            elif step == "drop":
                await store.drop(name, owner=value.owner(token(name)))
            elif step == "wait":
                await clock.pass_time(number / 3)
            entries = store._entries
            assert store.total_bytes == sum(ENTRY_BYTES + len(entry.value) for entry in entries.values()) <= 5_000
            kept = {name: entry for name, entry in entries.items() if entry.value.startswith(b"K")}
            assert set(store._recordings) == set(kept)
            assert store._freeable == sum(len(entry.value) - 33 for entry in kept.values())

    async def state_of(store: MemoryStore, name: str) -> bool:
        return name in store._entries

    asyncio.run(play())
