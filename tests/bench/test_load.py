from __future__ import annotations

import asyncio
import os

import pytest

from tests.bench.bodies import BURST, PACED, PLAIN, completion
from tests.bench.jobs import Job, Outcome
from tests.bench.load import Run
from tests.bench.processes import free_port
from tests.bench.serving import Saying, serving


def _job(port: int, model: str = PLAIN, *, connections: int = 4, rate: float = 0.0, gaps: bool = False) -> Job:
    return Job(
        model=model,
        port=port,
        connections=connections,
        seconds=0.3,
        warmup=0.05,
        drain=1.5,
        rate=rate,
        gaps=gaps,
        subject=os.getpid(),
    )


def _load(model: str = PLAIN, *, connections: int = 4, rate: float = 0.0, gaps: bool = False) -> Outcome:
    """Load the fake upstream, both in one loop."""

    async def main() -> Outcome:
        async with serving() as port:
            job = _job(port, model, connections=connections, rate=rate, gaps=gaps)
            return await Run(job, asyncio.get_running_loop()).do()

    return asyncio.run(main())


def _load_against(answer: bytes, *, hang_up: bool = False) -> Outcome:
    """Load a server that answers every request with the same bytes."""

    async def main() -> Outcome:
        async with serving(lambda: Saying(answer, hang_up=hang_up)) as port:
            return await Run(_job(port), asyncio.get_running_loop()).do()

    return asyncio.run(main())


@pytest.mark.parametrize("model", [PLAIN, BURST])
def test_a_closed_loop_counts_complete_answers_and_the_subjects_cpu(model: str) -> None:
    outcome = _load(model)
    assert outcome.errors == {}
    assert outcome.answers > 10
    assert outcome.cpu_us > 0
    assert 0.25 < outcome.seconds < 2.0


def test_an_open_loop_keeps_its_rate_whatever_the_answers_do() -> None:
    outcome = _load(rate=200.0)
    assert outcome.errors == {}
    assert 30 <= len(outcome.latencies_ms) <= 75
    assert outcome.answers == len(outcome.latencies_ms)


def test_a_stream_counts_by_the_part_that_arrived_in_the_window() -> None:
    """Within 0.3 s no paced stream ends: 4 streams of 53 events, one in 20 ms each."""
    outcome = _load(PACED, gaps=True)
    assert outcome.errors == {}
    assert outcome.answers == pytest.approx(4 * 15 / 53, rel=0.4)


def test_gaps_of_a_paced_stream_are_its_pace() -> None:
    median, p99, worst = _load(PACED, gaps=True).gaps_ms
    assert 15 < median < 30
    assert median <= p99 <= worst


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
_GOOD = completion()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\n{}", "status 500"),
        (_HEAD % 2 + b"{}", "0 pieces of content"),
        (_HEAD % (len(_GOOD) - 1) + _GOOD[:-1], "cut"),
        (b"SMTP ready\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 503 Busy\r\ncontent-length: %d\r\n\r\n" % len(_GOOD) + _GOOD, "status 503"),
    ],
)
def test_anything_but_the_complete_answer_is_an_error(answer: bytes, problem: str) -> None:
    outcome = _load_against(answer)
    assert outcome.errors == {problem: 4}
    assert outcome.answers == 0


def test_the_right_answer_is_none() -> None:
    """The control of the test above: the same server, the complete answer."""
    outcome = _load_against(_HEAD % len(_GOOD) + _GOOD)
    assert outcome.errors == {}
    assert outcome.answers > 0


def test_a_connection_that_is_lost_in_an_answer_is_an_error() -> None:
    assert _load_against(_HEAD % len(_GOOD) + _GOOD[:100], hang_up=True).errors == {"connection lost": 4}


def test_silence_is_an_error_once_the_drain_is_over() -> None:
    assert _load_against(b"").errors == {"unanswered": 4}


def test_a_subject_that_does_not_listen_is_an_error() -> None:
    async def main() -> Outcome:
        return await Run(_job(free_port()), asyncio.get_running_loop()).do()

    (problem,) = asyncio.run(main()).errors
    assert problem.startswith("no connection")
