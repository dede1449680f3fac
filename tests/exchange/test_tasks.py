"""Work that goes on when the one who began it goes."""

import asyncio
import gc

import pytest

from gateway.exchange.tasks import Tasks


def test_what_was_begun_is_finished_also_when_nobody_waits() -> None:
    async def main() -> None:
        tasks, done = Tasks(), []

        async def work(number: int) -> None:
            await asyncio.sleep(0)
            done.append(number)
            if number:
                tasks.begin(work(number - 1))

        tasks.begin(work(2))
        gc.collect()
        await tasks.join()
        assert done == [2, 1, 0]
        await tasks.join()

    asyncio.run(main())


def test_who_waits_is_told_of_a_failure_and_join_is_not() -> None:
    async def main() -> None:
        tasks = Tasks()

        async def fails() -> None:
            raise ZeroDivisionError

        task = tasks.begin(fails())
        await tasks.join()
        with pytest.raises(ZeroDivisionError):
            await task

    asyncio.run(main())


def test_who_goes_does_not_take_the_work_along() -> None:
    async def main() -> None:
        tasks, go_on, done = Tasks(), asyncio.Event(), []

        async def work() -> None:
            await go_on.wait()
            done.append(1)

        async def waits() -> None:
            await asyncio.shield(tasks.begin(work()))

        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(waits())
            await asyncio.sleep(0)
            waiting.cancel()
        go_on.set()
        await tasks.join()
        assert done == [1]

    asyncio.run(main())
