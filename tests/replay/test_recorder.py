"""What is taken down of an answer."""

import asyncio
from types import TracebackType
from typing import Self

import pytest

from gateway.replay.contract import Kept, Recording
from gateway.replay.recorder import Recorder


class Claim:
    def __init__(self) -> None:
        self.kept: list[Recording] = []
        self.left = 0

    async def keep(self, recording: Recording) -> Kept:
        self.kept.append(recording)
        return "kept"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.left += 1


def test_what_was_delivered_is_kept_in_its_batches_with_its_facts() -> None:
    async def main() -> None:
        claim = Claim()
        async with Recorder(claim) as recorder:
            for batch in ([{"a": 1}], [], [{"b": 2}, {"c": 3}]):
                recorder.note(batch)
            await recorder.keep(route="r")
        assert claim.kept == [Recording([[{"a": 1}], [{"b": 2}, {"c": 3}]], {"route": "r"})]
        assert claim.left == 1

    asyncio.run(main())


def test_an_answer_that_fails_gives_its_claim_back_unkept() -> None:
    async def main() -> None:
        claim = Claim()
        with pytest.raises(ZeroDivisionError):
            async with Recorder(claim) as recorder:
                recorder.note([{"a": 1}])
                raise ZeroDivisionError
        assert (claim.kept, claim.left) == ([], 1)

    asyncio.run(main())


def test_without_a_claim_nothing_is_kept() -> None:
    async def main() -> None:
        async with Recorder(None) as recorder:
            recorder.note([{"a": 1}])
            await recorder.keep()
        assert recorder._batches == []

    asyncio.run(main())
