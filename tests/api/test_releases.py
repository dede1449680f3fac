"""Changes of prompts over HTTP: in threads of their own, a few at a time, and never without the log."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from gateway.api.releases import MOST_WAITING, THREADS
from gateway.errors import InvalidRequest, Unavailable
from gateway.prompt.label.releasing import Promotion
from tests.api.prompt_house import PromptHouse
from tests.asgi import Client
from tests.prompt.shelf import TRIAGE, prompty, put

WANTED = Promotion(prompt=TRIAGE, label="production", version="v2", by="key", why="better")


@pytest.fixture
def house(tmp_path: Path) -> PromptHouse:
    return PromptHouse(tmp_path, writable=True)


def test_a_move_is_seen_here_without_waiting_for_the_next_look(house: PromptHouse) -> None:
    async def test(_client: Client) -> None:
        moved = await house.releases.promote(WANTED)
        assert (moved.before, moved.version) == ("v1", "v2")
        await house.standing("production", "v2")
        assert (await house.releases.rollback(TRIAGE, "production", to=None, by="key", why="worse")).version == "v1"
        await house.standing("production", "v1")

    house.run(test)


def test_nothing_moves_that_the_log_does_not_take(house: PromptHouse) -> None:
    async def test(_client: Client) -> None:
        await house.log.close()
        with pytest.raises(Unavailable) as caught:
            await house.releases.promote(WANTED)
        assert caught.value.code == "audit_unavailable"
        assert [move.version for move in await house.releases.history(TRIAGE, "production")] == ["v1"]

    house.run(test)


def test_moves_at_once_are_made_one_after_the_other(house: PromptHouse) -> None:
    async def test(_client: Client) -> None:
        labels = [f"label-{number}" for number in range(8)]
        wanted = [Promotion(prompt=TRIAGE, label=label, version="v2", by="key", why="so") for label in labels]
        moves = await asyncio.gather(*map(house.releases.promote, wanted))
        assert sorted(move.seq for move in moves) == list(range(2, 10))

    house.run(test)
    assert [each["seq"] for each in house.entered()] == list(range(1, 10))


def test_too_much_at_a_time_is_turned_away(house: PromptHouse) -> None:
    async def test(_client: Client) -> None:
        held, begun = threading.Event(), threading.Semaphore(0)

        def work() -> None:
            begun.release()
            held.wait(10)

        async with asyncio.TaskGroup() as crowd:
            for _ in range(MOST_WAITING):
                crowd.create_task(house.releases._run(work))
            for _ in range(THREADS):
                await asyncio.to_thread(begun.acquire)
            with pytest.raises(Unavailable) as caught:
                await house.releases.history(TRIAGE, None)
            assert (caught.value.code, caught.value.retry_after) == ("overloaded", 1.0)
            held.set()
        assert await house.releases.history(TRIAGE, "next") == ()

    house.run(test)


def test_what_is_published_is_served_when_it_returns(house: PromptHouse) -> None:
    async def test(_client: Client) -> None:
        published = await house.releases.publish(TRIAGE)
        version = house.live.prompts.library.get(TRIAGE, "v4")
        assert version is not None
        assert version.digest == published.digest

    house.run(test)


def test_a_draft_that_is_wrong_is_told_with_file_and_line_but_not_endlessly(house: PromptHouse) -> None:
    inputs = [f"input_{number}" for number in range(20)]
    put(house.folder, f"{TRIAGE}/draft.prompty", prompty("{{other}}", inputs=inputs))

    async def test(_client: Client) -> None:
        with pytest.raises(InvalidRequest) as caught:
            await house.releases.publish(TRIAGE)
        assert f"{TRIAGE}/draft.prompty:" in caught.value.message
        assert caught.value.message.count(f"{TRIAGE}/draft.prompty:") == 5

    house.run(test)
