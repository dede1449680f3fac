"""Patience bounds single waits, and only those."""

import asyncio

import pytest

from gateway.http.contract import HttpTimeout
from gateway.http.patience import Patience


def test_a_wait_that_is_answered_in_time_gives_its_result() -> None:
    async def main() -> None:
        patience = Patience(asyncio.get_running_loop().time() + 60, 30)
        assert await patience.wait(asyncio.sleep(0, "answer"), 60) == "answer"
        patience.close()

    asyncio.run(main())


def test_a_wait_longer_than_its_seconds_is_a_timeout() -> None:
    async def main() -> None:
        patience = Patience(asyncio.get_running_loop().time() + 60, 30)
        with pytest.raises(HttpTimeout):
            await patience.wait(asyncio.Event().wait(), 0.01)
        patience.close()

    asyncio.run(main())


def test_the_deadline_bounds_every_wait() -> None:
    async def main() -> None:
        patience = Patience(asyncio.get_running_loop().time() + 0.01, 30)
        with pytest.raises(HttpTimeout):
            await patience.wait(asyncio.Event().wait(), 60)
        patience.close()

    asyncio.run(main())


def test_a_later_shorter_wait_moves_the_timer() -> None:
    async def main() -> None:
        patience = Patience(asyncio.get_running_loop().time() + 60, 30)
        await patience.wait(asyncio.sleep(0), 50)
        with pytest.raises(HttpTimeout):
            await patience.wait(asyncio.Event().wait(), 0.01)
        patience.close()

    asyncio.run(main())


def test_time_between_waits_is_not_counted() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        patience = Patience(loop.time() + 60, 0.02)
        await patience.wait(asyncio.sleep(0), 0.02)
        fired = loop.create_future()
        loop.call_later(0.06, fired.set_result, None)
        await fired  # longer than the wait above: the timer fires here and must find nothing to end
        assert await patience.wait(asyncio.sleep(0, "still here"), 1) == "still here"
        patience.close()

    asyncio.run(main())


def test_a_wait_that_was_extended_outlives_the_first_timer() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        patience = Patience(loop.time() + 60, 0.02)
        await patience.wait(asyncio.sleep(0), 0.02)
        late = loop.create_future()
        loop.call_later(0.06, late.set_result, "late but in time")
        assert await patience.wait(late, 5) == "late but in time"
        patience.close()

    asyncio.run(main())


def test_a_cancellation_from_outside_stays_a_cancellation() -> None:
    async def main() -> None:
        patience_made = asyncio.Event()

        async def waits() -> None:
            patience = Patience(asyncio.get_running_loop().time() + 60, 30)
            patience_made.set()
            await patience.wait(asyncio.Event().wait(), 60)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(waits())
            await patience_made.wait()
            task.cancel()
        assert task.cancelled()

    asyncio.run(main())
