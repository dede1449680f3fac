"""The way of an exchange whose answer cannot be kept for a repeat: it goes out, and operators are told."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import Unavailable
from gateway.replay.memory import MemoryStore
from tests.world import CHUNKS, HELLO, STREAM, WHOLE, World


class Deaf(MemoryStore):
    """Takes claims, and fails to keep what they brought."""

    async def put(self, name: str, value: bytes, *, owner: bytes, ttl: float) -> bool:  # noqa: ARG002  # the seam's
        raise Unavailable("down", code="idempotency_unavailable", retry_after=5.0)


class Robbed(MemoryStore):
    """Another request holds the key by the time the answer is there."""

    async def put(self, name: str, value: bytes, *, owner: bytes, ttl: float) -> bool:  # noqa: ARG002  # the seam's
        return False


@pytest.mark.parametrize(("store", "reason"), [(Deaf(), "unavailable"), (Robbed(), "lost"), (MemoryStore(), "")])
@pytest.mark.parametrize("body", [HELLO, STREAM], ids=["plain", "stream"])
def test_an_answer_that_cannot_be_kept_for_a_repeat_goes_out_and_operators_are_told(
    body: bytes, store: MemoryStore, reason: str
) -> None:
    world = World(CHUNKS if body is STREAM else [[WHOLE]], store=store)

    async def test() -> None:
        async with asyncio.timeout(10):
            assert await world.ask(body, key=f"once {len(body)}")
        assert world.exchange.result == "complete"
        assert world.observer.not_kept == ([(world.exchange.id, reason)] if reason else [])

    asyncio.run(test())
    world.check_ended_once()
