"""A 4 MiB request body beside 256 paced streams: by how much the worst gap between two chunks grows.

Run as `python -m tests.bench.large`; exit code 1 when the median growth is above `ALLOWED` milliseconds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec

from tests.bench.bench import Bench, Station
from tests.bench.bodies import PLAIN
from tests.bench.jobs import Outcome
from tests.bench.plan import SCENARIOS, Step
from tests.bench.subjects import Subject, gatehouse

ALLOWED = 50.0
BODY_BYTES = 4_194_304
PAUSE = 0.3
"""Seconds between two large requests."""
ROUNDS = 3
SECONDS = 5.0


def body() -> bytes:
    """Return a request of just `BODY_BYTES`."""
    empty = msgspec.json.encode({"model": PLAIN, "max_tokens": 1, "messages": [{"role": "user", "content": ""}]})
    return empty.replace(b'"content":""', b'"content":"' + b"x" * (BODY_BYTES - len(empty)) + b'"')


@contextmanager
def posting(station: Station, statuses: list[int]) -> Iterator[None]:
    """Send large requests one after the other meanwhile."""
    over = threading.Event()
    data = body()

    def post() -> None:
        while not over.wait(PAUSE):
            connection = HTTPConnection("127.0.0.1", station.port, timeout=30)
            try:
                connection.request("POST", "/v1/chat/completions", body=data, headers=dict(station.running.launch.headers))
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
            except (OSError, HTTPException):
                statuses.append(0)
            finally:
                connection.close()

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def main() -> int:
    """Measure with and without, in turn."""
    paced = next(scenario for scenario in SCENARIOS if scenario.name == "paced")
    subject = Subject("gatehouse", gatehouse(), 200)
    statuses: list[int] = []
    growths: list[float] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder), stack, seconds=SECONDS, passes=1)
        bench.start([subject])
        step = Step(0, paced, subject.name, 0.0, 1.0)
        for _ in range(ROUNDS):
            quiet = worst(bench.do(step))
            with posting(bench.stations[subject.name], statuses):
                beside = worst(bench.do(step))
            growths.append(beside - quiet)
            print(f"worst gap {quiet:.1f} ms alone, {beside:.1f} ms beside large bodies: {beside - quiet:+.1f} ms", flush=True)
    growth = statistics.median(growths)
    answered = sum(status == 200 for status in statuses)
    print(f"median growth {growth:+.1f} ms (allowed {ALLOWED:.0f}); {answered} of {len(statuses)} large requests answered")
    return 0 if growth <= ALLOWED and answered == len(statuses) and answered else 1


def worst(outcome: Outcome) -> float:
    """Return the longest gap of a pass without errors."""
    if outcome.errors:
        raise SystemExit(f"the pass failed: {outcome.errors}")
    return outcome.gaps_ms[-1]


if __name__ == "__main__":
    sys.exit(main())
