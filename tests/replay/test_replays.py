"""The rules when the store fails or the client leaves at a bad moment."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from gateway.errors import Conflict, InvalidRequest, Unavailable
from gateway.replay.contract import Recording
from gateway.replay.memory import MemoryStore
from gateway.replay.replays import KeyedClaim, KeyedReplays

ANSWER = Recording([[{"id": "1"}]])


def down() -> Unavailable:
    return Unavailable("down", code="idempotency_unavailable", retry_after=5.0)


class Failing(MemoryStore):
    """Does what it is asked, then fails to say so, in the operations named."""

    def __init__(self, *operations: str, error: type[BaseException] | None = None) -> None:
        super().__init__()
        self.failing = set(operations)
        self._error = error

    def _fail(self, operation: str) -> None:
        if operation in self.failing:
            raise self._error() if self._error else down()

    async def take(self, name: str, value: bytes, *, ttl: float) -> bytes | None:
        held = await super().take(name, value, ttl=ttl)
        self._fail("take")
        return held

    async def put(self, name: str, value: bytes, *, owner: bytes, ttl: float) -> bool:
        self._fail("put")
        return await super().put(name, value, owner=owner, ttl=ttl)

    async def drop(self, name: str, *, owner: bytes) -> None:
        self._fail("drop")
        await super().drop(name, owner=owner)


def over(store: MemoryStore) -> KeyedReplays:
    return KeyedReplays(store, digest=lambda text: hashlib.sha256(text.encode()).digest())


async def claim(replays: KeyedReplays, key: str = "k") -> KeyedClaim:
    claimed = await replays.claim("acme", key, fingerprint=b"f", lease=60)
    assert isinstance(claimed, KeyedClaim)
    return claimed


def test_a_store_that_does_not_answer_refuses_the_request() -> None:
    with pytest.raises(Unavailable):
        asyncio.run(claim(over(Failing("take", "drop"))))


@pytest.mark.parametrize("error", [None, asyncio.CancelledError])
def test_a_claim_whose_answer_was_lost_is_not_left_behind(error: type[BaseException] | None) -> None:
    async def story() -> None:
        store = Failing("take", error=error)
        with pytest.raises(error or Unavailable):
            await claim(over(store))
        store.failing.clear()
        await claim(over(store))

    asyncio.run(story())


def test_an_answer_goes_out_although_it_cannot_be_kept_and_its_key_stays_claimed() -> None:
    async def story() -> str:
        store = Failing("put")
        async with await claim(over(store)) as claimed:
            kept = await claimed.keep(ANSWER)
        with pytest.raises(Conflict, match="being answered"):
            await claim(over(store))
        return kept

    assert asyncio.run(story()) == "unavailable"


def test_a_release_that_fails_hides_no_error() -> None:
    async def story() -> None:
        async with await claim(over(Failing("drop"))):
            raise ValueError("the real one")

    with pytest.raises(ValueError, match="the real one"):
        asyncio.run(story())


@pytest.mark.parametrize("key", ["", "é", "x" * 256])
def test_a_malformed_key_is_refused_before_the_store_is_asked(key: str) -> None:
    with pytest.raises(InvalidRequest):
        asyncio.run(claim(over(Failing("take")), key))


def test_control_a_claim_without_its_token_frees_a_key_that_another_holds() -> None:
    """Were owners not compared by token, the release of a late claim would free its successor's key."""

    class Careless(MemoryStore):
        async def drop(self, name: str, *, owner: bytes) -> None:
            await super().drop(name, owner=owner[:1])

    async def runs(store: MemoryStore) -> int:
        replays = over(store)
        late = await claim(replays)
        await late.__aexit__(None, None, None)
        await claim(replays)
        await late.__aexit__(None, None, None)
        try:
            await claim(replays)
        except Conflict:
            return 2
        return 3

    assert asyncio.run(runs(MemoryStore())) == 2
    assert asyncio.run(runs(Careless())) == 3
