"""The contract of idempotency keys, on every store: Redis is a real one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import Conflict, InvalidRequest
from gateway.replay.contract import Claim, Recording, Replays
from gateway.replay.replays import KeyedReplays
from tests.replay.places import Open, Place

FIRST, OTHER = b'{"model":"a"}', b'{"model":"b"}'
ANSWER = Recording([[{"id": "1", "choices": [{"delta": {"content": "hé"}, "index": 0}]}], [{"id": "1"}]], {"route": "chat"})
LEASE = 120.0
DAY = 86_400.0

Story = Callable[[Replays, Place], Awaitable[None]]


def digest(text: str) -> bytes:
    return hmac.digest(b"secret", text.encode(), hashlib.sha256)


def tell(opened: Open, story: Story, *, max_bytes: int = 10_000) -> None:
    async def run() -> None:
        async with opened() as place:
            await story(KeyedReplays(place.store, digest=digest, max_bytes=max_bytes), place)

    asyncio.run(run())


async def ask(
    replays: Replays, *, tenant: str = "acme", key: str = "k-1", fingerprint: bytes = FIRST, lease: float = LEASE
) -> Claim | Recording:
    return await replays.claim(tenant, key, fingerprint=fingerprint, lease=lease)


async def claimed(replays: Replays, *, key: str = "k-1", lease: float = LEASE) -> Claim:
    claim = await ask(replays, key=key, lease=lease)
    assert not isinstance(claim, Recording)
    return claim


async def answered(replays: Replays, recording: Recording = ANSWER) -> None:
    async with await claimed(replays) as claim:
        await claim.keep(recording)


def test_a_repeat_gets_the_first_answer(place: Open) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        async with await claimed(replays) as claim:
            assert await claim.keep(ANSWER) == "kept"
        assert await ask(replays) == ANSWER
        assert await ask(replays) == ANSWER

    tell(place, story)


def test_a_repeat_while_the_first_runs_is_a_conflict_that_may_be_retried(place: Open) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        async with await claimed(replays):
            with pytest.raises(Conflict) as caught:
                await ask(replays)
        assert caught.value.retry_after == 1.0
        assert caught.value.code == "idempotency_conflict"

    tell(place, story)


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, Conflict])
def test_a_request_that_failed_leaves_the_key_free(place: Open, error: type[BaseException]) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        with pytest.raises(error):
            async with await claimed(replays):
                raise error("gone")
        await claimed(replays)

    tell(place, story)


def test_a_request_that_ended_without_keeping_leaves_the_key_free(place: Open) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        async with await claimed(replays):
            pass
        await claimed(replays)

    tell(place, story)


def test_an_error_after_the_answer_was_kept_does_not_free_the_key(place: Open) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        with pytest.raises(asyncio.CancelledError):
            async with await claimed(replays) as claim:
                await claim.keep(ANSWER)
                raise asyncio.CancelledError
        assert await ask(replays) == ANSWER

    tell(place, story)


@pytest.mark.parametrize("state", ["running", "kept", "spent"])
def test_a_key_used_with_another_request_is_refused_in_every_state(place: Open, state: str) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        claim = await claimed(replays)
        if state != "running":
            await claim.keep(ANSWER if state == "kept" else Recording([[{"text": "x" * 20_000}]]))
        with pytest.raises(InvalidRequest) as caught:
            await ask(replays, fingerprint=OTHER)
        assert (caught.value.code, caught.value.param) == ("invalid_field", "Idempotency-Key")

    tell(place, story)


def test_an_answer_too_large_to_keep_is_never_run_again(place: Open) -> None:
    async def story(replays: Replays, place: Place) -> None:
        async with await claimed(replays) as claim:
            assert await claim.keep(Recording([[{"text": "x" * 20_000}]])) == "too_large"
        await place.pass_time(DAY - 1)
        with pytest.raises(Conflict, match="not run again") as caught:
            await ask(replays)
        assert caught.value.retry_after is None

    tell(place, story)


def test_the_answer_is_kept_for_a_day_and_then_the_key_is_free(place: Open) -> None:
    async def story(replays: Replays, place: Place) -> None:
        await answered(replays)
        await place.pass_time(DAY - 1)
        assert await ask(replays) == ANSWER
        await place.pass_time(2)
        await claimed(replays)

    tell(place, story)


def test_the_claim_of_a_process_that_is_gone_ends_with_its_lease(place: Open) -> None:
    async def story(replays: Replays, place: Place) -> None:
        await claimed(replays)
        await place.pass_time(LEASE - 1)
        with pytest.raises(Conflict):
            await ask(replays)
        await place.pass_time(2)
        await claimed(replays)

    tell(place, story)


def test_a_claim_that_outlived_its_lease_cannot_touch_its_successors(place: Open) -> None:
    async def story(replays: Replays, place: Place) -> None:
        late = await claimed(replays)
        await place.pass_time(LEASE + 1)
        successor = await claimed(replays)
        assert await late.keep(Recording([[{"id": "late"}]])) == "lost"
        with pytest.raises(Conflict):
            await ask(replays)
        assert await successor.keep(ANSWER) == "kept"
        assert await late.keep(Recording([[{"id": "late"}]])) == "lost"
        assert await ask(replays) == ANSWER

    tell(place, story)


def test_a_claim_that_outlived_its_lease_does_not_release_its_successors(place: Open) -> None:
    async def story(replays: Replays, place: Place) -> None:
        async with await claimed(replays):
            await place.pass_time(LEASE + 1)
            await claimed(replays)
        with pytest.raises(Conflict):
            await ask(replays)

    tell(place, story)


def test_an_answer_that_came_after_its_lease_is_kept_when_nobody_else_has_the_key(place: Open) -> None:
    async def story(replays: Replays, place: Place) -> None:
        late = await claimed(replays)
        await place.pass_time(LEASE + 1)
        assert await late.keep(ANSWER) == "kept"
        assert await ask(replays) == ANSWER

    tell(place, story)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("acme", "k"), ("globex", "k")), (("a", "b c"), ("a b", "c")), (("a", "k1"), ("a", "k2")), (("1", "1 x"), ("11", " x"))],
)
def test_keys_of_tenants_never_meet(place: Open, one: tuple[str, str], other: tuple[str, str]) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        first = await ask(replays, tenant=one[0], key=one[1])
        assert not isinstance(first, Recording)
        await first.keep(ANSWER)
        assert not isinstance(await ask(replays, tenant=other[0], key=other[1]), Recording)

    tell(place, story)


async def outcome(replays: Replays) -> str:
    try:
        return type(await ask(replays)).__name__
    except Conflict:
        return "Conflict"


def test_of_200_concurrent_claims_exactly_one_wins(place: Open) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        outcomes = await asyncio.gather(*(outcome(replays) for _ in range(200)))
        assert sorted(outcomes) == ["Conflict"] * 199 + ["KeyedClaim"]

    tell(place, story)


def test_under_concurrent_retries_a_request_runs_once_and_all_get_its_answer(place: Open) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        runs = 0

        async def client() -> Recording:
            nonlocal runs
            while True:
                try:
                    found = await ask(replays)
                except Conflict:
                    await asyncio.sleep(0)
                    continue
                if isinstance(found, Recording):
                    return found
                async with found:
                    runs += 1
                    await asyncio.sleep(0)
                    await found.keep(ANSWER)

        answers = await asyncio.gather(*(client() for _ in range(40)))
        assert runs == 1
        assert answers == [ANSWER] * 40

    tell(place, story)


def test_a_recording_cannot_be_changed_through_what_was_handed_out(place: Open) -> None:
    async def story(replays: Replays, _place: Place) -> None:
        mine = Recording([[{"id": "1"}]])
        await answered(replays, mine)
        mine.batches[0][0]["id"] = "2"
        first = await ask(replays)
        assert isinstance(first, Recording)
        first.batches[0][0]["id"] = "3"
        assert await ask(replays) == Recording([[{"id": "1"}]])

    tell(place, story)


def test_the_store_holds_neither_tenant_nor_key_nor_request(place: Open) -> None:
    class Seen:
        """Remembers what a store is given."""

        def __init__(self, place: Place) -> None:
            self.given = b""
            self._store = place.store

        async def take(self, name: str, value: bytes, *, ttl: float) -> bytes | None:
            self.given += name.encode() + value
            return await self._store.take(name, value, ttl=ttl)

        async def put(self, name: str, value: bytes, *, owner: bytes, ttl: float) -> bool:
            self.given += name.encode() + value
            return await self._store.put(name, value, owner=owner, ttl=ttl)

        async def drop(self, name: str, *, owner: bytes) -> None:
            await self._store.drop(name, owner=owner)

    async def story(_replays: Replays, place: Place) -> None:
        seen = Seen(place)
        async with await claimed(KeyedReplays(seen, digest=digest)) as claim:
            await claim.keep(ANSWER)
        assert len(seen.given) > 100
        for secret in (b"acme", b"k-1", b"model"):
            assert secret not in seen.given

    tell(place, story)
