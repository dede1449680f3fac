"""The ledger counts every request once, whatever became of it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from gateway.upstream.fake import ledger as ledgers
from gateway.upstream.fake.ledger import Ledger, Outcome, Served


def opened(ledger: Ledger, name: str = "1") -> Served:
    return ledger.open(name, "/chat/completions", headers={"a": "b"}, body=b"{}")


def test_a_request_is_running_until_it_ends_and_only_its_first_end_counts() -> None:
    ledger = Ledger()
    served = opened(ledger)
    assert (served.outcome, ledger.totals.running) == ("running", 1)
    served.end("complete")
    served.end("aborted")
    assert (served.outcome, ledger.totals.running, dict(ledger.totals.outcomes)) == ("complete", 0, {"complete": 1})


@pytest.mark.parametrize("error", [asyncio.CancelledError, ValueError])
def test_a_request_whose_client_left_is_aborted(error: type[BaseException]) -> None:
    ledger = Ledger()
    with pytest.raises(error), opened(ledger):
        raise error
    assert ledger.served[0].outcome == "aborted"


@pytest.mark.parametrize("outcome", ["complete", "cut"])
def test_a_request_that_ended_is_not_aborted_when_its_context_ends(outcome: Outcome) -> None:
    ledger = Ledger()
    with opened(ledger) as served:
        served.end(outcome)
    assert served.outcome == outcome


def test_tokens_are_counted_as_they_are_made() -> None:
    ledger = Ledger()
    with opened(ledger) as served:
        served.began(7, "stop")
        served.made(2)
        served.made(1)
    assert (served.prompt_tokens, served.completion_tokens, served.finish) == (7, 3, "stop")
    assert (ledger.totals.prompt_tokens, ledger.totals.completion_tokens) == (7, 3)
    assert dict(ledger.totals.finishes) == {"abort": 1}


def test_records_are_bounded_and_totals_are_not() -> None:
    ledger = Ledger(records=10)
    for number in range(25):
        with opened(ledger, str(number)) as served:
            served.model, served.status = "m", 200
    assert [served.id for served in ledger.served] == [str(number) for number in range(15, 25)]
    assert ledger.totals.requests == 25
    assert (dict(ledger.totals.models), dict(ledger.totals.statuses)) == ({"m": 25}, {200: 25})


def test_what_was_received_is_kept_up_to_a_size() -> None:
    ledger = Ledger()
    for number in range(ledgers.RECEIVED + 3):
        ledger.open(str(number), "/", headers={"a": "b"}, body=b"x" * 100_000)
    assert len(ledger.received) == ledgers.RECEIVED
    last = ledger.received[-1]
    assert (last.id, last.headers, len(last.body)) == (str(ledgers.RECEIVED + 2), {"a": "b"}, ledgers.RECEIVED_BYTES)


def test_waiting_ends_when_nothing_runs() -> None:
    async def story() -> tuple[bool, bool]:
        ledger = Ledger()
        at_once = await ledger.idle(0)
        first, second = opened(ledger), opened(ledger)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(ledger.idle(30))
            await asyncio.sleep(0)
            first.end("complete")
            await asyncio.sleep(0)
            assert not waiting.done()
            second.end("aborted")
        return at_once, waiting.result()

    assert asyncio.run(story()) == (True, True)


def test_waiting_ends_in_time_although_something_runs() -> None:
    async def story() -> bool:
        ledger = Ledger()
        served = opened(ledger)
        idle = await ledger.idle(0.01)
        served.end("complete")
        return idle

    assert asyncio.run(story()) is False


def test_waiting_for_requests_ends_when_so_many_have_arrived() -> None:
    async def story() -> list[bool]:
        ledger = Ledger()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(ledger.reached(2, seconds=30))
            await asyncio.sleep(0)
            opened(ledger).end("complete")
            await asyncio.sleep(0)
            assert not waiting.done()
            opened(ledger).end("complete")
        return [waiting.result(), await ledger.reached(2, seconds=0), await ledger.reached(3, seconds=0.01)]

    assert asyncio.run(story()) == [True, True, False]


def test_one_who_no_longer_waits_is_no_hindrance() -> None:
    async def story() -> None:
        ledger = Ledger()
        served = opened(ledger)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(ledger.idle(30)) for _ in range(2)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            served.end("complete")
        assert waiting[1].result()

    asyncio.run(story())


def test_clearing_forgets_what_has_ended_and_keeps_what_runs() -> None:
    ledger = Ledger()
    opened(ledger, "old").end("complete")
    running = opened(ledger, "running")
    running.began(5, "stop")
    running.made(2)
    ledger.clear()
    assert [served.id for served in ledger.served] == ["running"]
    assert not ledger.received
    running.end("complete")
    totals = ledger.totals
    assert (totals.requests, totals.running, totals.prompt_tokens, totals.completion_tokens) == (1, 0, 5, 2)


def test_the_report_is_plain_json() -> None:
    ledger = Ledger()
    with opened(ledger) as served:
        served.status = 200
        served.end("complete")
    report = msgspec.json.decode(msgspec.json.encode(ledger.report()))
    assert report["totals"]["statuses"] == {"200": 1}
    assert report["requests"] == [
        {
            "id": "1",
            "path": "/chat/completions",
            "model": "",
            "status": 200,
            "stream": False,
            "fault": "",
            "finish": "",
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "outcome": "complete",
        }
    ]
