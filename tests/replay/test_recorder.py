"""What is taken down of an answer."""

import asyncio
from types import TracebackType
from typing import Self

import pytest

from gateway.exchange.exchange import Exchange
from gateway.replay.contract import Kept, Recording
from gateway.replay.recorder import Recorder


class Claim:
    def __init__(self, outcome: Kept = "kept") -> None:
        self.kept: list[Recording] = []
        self.left = 0
        self._outcome = outcome

    async def keep(self, recording: Recording) -> Kept:
        self.kept.append(recording)
        return self._outcome

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.left += 1


class Watch:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def unkept(self, exchange: Exchange, reason: str) -> None:
        self.told.append((exchange.id, reason))


def recorder_of(claim: Claim | None) -> Recorder:
    return Recorder(claim, Exchange("chat"), watcher=Watch())


@pytest.mark.parametrize(("outcome", "told"), [("kept", False), ("too_large", False), ("lost", True), ("unavailable", True)])
def test_who_watches_is_told_of_an_answer_that_a_fault_keeps_from_a_repeat(outcome: Kept, *, told: bool) -> None:
    async def main() -> None:
        exchange, watch = Exchange("chat"), Watch()
        async with Recorder(Claim(outcome), exchange, watcher=watch) as recorder:
            recorder.note([{"a": 1}])
            await recorder.keep()
        assert watch.told == ([(exchange.id, outcome)] if told else [])

    asyncio.run(main())


def test_what_was_delivered_is_kept_in_its_batches_with_its_facts() -> None:
    async def main() -> None:
        claim = Claim()
        async with recorder_of(claim) as recorder:
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
            async with recorder_of(claim) as recorder:
                recorder.note([{"a": 1}])
                raise ZeroDivisionError
        assert (claim.kept, claim.left) == ([], 1)

    asyncio.run(main())


def test_without_a_claim_nothing_is_kept() -> None:
    async def main() -> None:
        async with recorder_of(None) as recorder:
            recorder.note([{"a": 1}])
            await recorder.keep()
        assert recorder._batches == []

    asyncio.run(main())
