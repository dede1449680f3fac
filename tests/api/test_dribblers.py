"""Hundreds of clients that send a byte now and then, against a real server process with good clients beside them."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.api.house import Client, connect, house, run
from tests.e2e.process import environment, json_line, started

ROOT = Path(__file__).resolve().parents[2]
HEAD = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n"
EVERY = 0.25
"""Seconds between two bytes of a dribbler."""
LATE = 2.0
"""Seconds that a busy machine may be late."""
BUSY = 8
"""Good clients, one request after another each."""


@dataclass
class Report:
    """Seconds until dribblers were cut off, and what good clients saw meanwhile."""

    heads: list[float] = field(default_factory=list)
    bodies: list[float] = field(default_factory=list)
    good: list[float] = field(default_factory=list)


async def dribble(port: int, count: int, seconds: float) -> Report:
    """Dribble on `count` heads and as many bodies for so long, beside good traffic."""
    report = Report()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(dribbler(port, b"GET /echo HTTP/1.1\r\nx: ", seconds, closed=report.heads))
            group.create_task(dribbler(port, HEAD.replace(b" 5", b" 5000"), seconds, closed=report.bodies))
        good = [group.create_task(good_client(port, stop, report.good)) for _ in range(BUSY)]
        await asyncio.sleep(seconds)
        stop.set()
        await asyncio.wait(good)
    return report


async def dribbler(port: int, begin: bytes, seconds: float, *, closed: list[float]) -> None:
    async with connect(port) as client:
        client.send(begin)
        async with client.dribbling(b"a", EVERY):
            try:
                await asyncio.wait_for(client.end(), seconds)
            except TimeoutError:
                return
        closed.append(monotonic() - client.opened)


async def good_client(port: int, stop: asyncio.Event, took: list[float]) -> None:
    async with connect(port) as client:
        while not stop.is_set():
            took.append(await good_request(client))
            await asyncio.sleep(0.02)


async def good_request(client: Client) -> float:
    begun = monotonic()
    client.send(HEAD + b"hello")
    answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"hello")
    return monotonic() - begun


def check(folder: Path, count: int, *, header_timeout: float, body_timeout: float) -> None:
    config = folder / "gateway.toml"
    limits = f'header_timeout = "{header_timeout}s"\nbody_timeout = "{body_timeout}s"\n'
    config.write_text("[server]\nport = 0\n" + limits)
    command = [sys.executable, "-m", "tests.cli.served", str(config)]
    with started(command, env=environment(PYTHONPATH=str(ROOT)), cwd=folder) as process:
        line = process.wait_for(lambda line: json_line(line).get("event") == "ready", what="a ready line", within=30)
        port = int(json_line(line)["address"].rpartition(":")[2])
        reports: list[Report] = []

        async def main() -> None:
            reports.append(await dribble(port, count, max(header_timeout, body_timeout) + LATE))

        run(main())
    report = reports[0]
    assert len(report.heads) == count, "some heads were not cut off"
    assert len(report.bodies) == count, "some bodies were not cut off"
    assert header_timeout / 2 < min(report.heads)
    assert max(report.heads) < header_timeout + LATE
    assert body_timeout / 2 < min(report.bodies)
    assert max(report.bodies) < body_timeout + LATE
    assert len(report.good) > BUSY
    assert max(report.good) < LATE


def test_dribblers_are_cut_off_at_their_deadlines_and_good_traffic_goes_on(tmp_path: Path) -> None:
    check(tmp_path, 100, header_timeout=1.0, body_timeout=2.0)


@pytest.mark.fault
@pytest.mark.timeout(120)
def test_dribblers_at_full_figures(tmp_path: Path) -> None:
    check(tmp_path, 500, header_timeout=10.0, body_timeout=30.0)


def test_control_uvicorn_cuts_nobody_off() -> None:
    async def main() -> None:
        async with house(protocol=HttpToolsProtocol) as home:
            report = await dribble(home.port, 20, 3.0)
            assert report.heads == []
            assert report.bodies == []
            assert len(report.good) > BUSY

    run(main())
