"""The load generator: one job, read from standard input as JSON; its outcome goes to standard output.

A closed loop keeps every connection busy; an open loop sends at a fixed rate whatever the answers do. Anything but the
complete answer is an error. CPU times are read at the two ends of the measured window. Run as `python -m tests.bench.load`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter
from typing import cast

import httptools
import uvloop

from tests.bench.bodies import EVENTS, PLAIN, incomplete, request_body
from tests.bench.jobs import Job, Outcome, decode_job, encode
from tests.bench.proc import cpu_ns, machine_busy_ns
from tests.bench.stats import percentile

_EVENT = b"data: "


class Caller(asyncio.Protocol):
    """One connection that sends the job's request, waits for the answer and reports it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._parts: list[bytes] = []
        self.on_body = self._parts.append  # the parser calls it for every chunk: no Python function in between
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._seen = 0.0
        self.busy = False
        self.started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not its subclasses

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.busy:
            self._failed("connection lost")

    def send(self) -> None:
        self.busy = True
        self._seen = 0.0
        self.started = time.perf_counter()
        self._transport.write(self._run.request)

    def close(self) -> None:
        self.busy = False
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._failed("not HTTP")
            return
        if self._run.gaps is not None and self._parts:
            now = time.perf_counter()
            if self._seen and self._run.measuring:
                self._run.gaps.append(now - self._seen)
            self._seen = now

    @property
    def events(self) -> int:
        """How many events of the present answer have arrived."""
        return b"".join(self._parts).count(_EVENT)

    def on_message_complete(self) -> None:
        self.busy = False
        status = self._parser.get_status_code()
        body = b"".join(self._parts)
        self._parts.clear()
        if self._run.streamed:
            self._run.events += body.count(_EVENT)
        problem = incomplete(body, model=self._run.job.model)
        if status != 200:
            problem = f"status {status}"
        self._run.answered(self, problem=problem)

    def _failed(self, problem: str) -> None:
        self.busy = False
        self._run.answered(self, problem=problem)


class Run:
    """A job while it is being done."""

    def __init__(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self.job = job
        self.request = _request(job)
        self.streamed = job.model != PLAIN
        self.gaps: list[float] | None = [] if job.gaps else None
        self.measuring = False
        self.events = 0
        self._loop = loop
        self._callers: list[Caller] = []
        self._idle: list[Caller] = []
        self._answers = 0
        self._errors: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._late = 0.0
        self._stopping = False
        self._quiet = asyncio.Event()

    async def do(self) -> Outcome:
        """Connect, warm up, measure, wait for what is under way."""
        try:
            await self._connect()
        except OSError as error:
            return Outcome.failed(f"no connection: {error.strerror}")
        gc.disable()
        start = self._loop.time() + 0.01
        if self.job.rate:
            self._loop.call_at(start, self._tick, start, 0)
        else:
            spread = self.job.ramp / len(self._idle)
            for position, caller in enumerate(self._callers):
                self._loop.call_at(start + position * spread, self._again, caller)
        await asyncio.sleep(self.job.warmup)
        outcome = await self._measure()
        self._stopping = True
        await self._drain(outcome)
        return outcome

    def answered(self, caller: Caller, *, problem: str) -> None:
        """Take note of an answer; send the next request on its connection."""
        if problem:
            self._errors[problem] += 1
        elif self.measuring:
            self._answers += 1
            if self.job.rate:
                self._latencies.append(time.perf_counter() - caller.started)
        if problem:
            self._callers.remove(caller)
            caller.close()
        elif self.job.rate or self._stopping:
            self._idle.append(caller)
        else:
            caller.send()
            return
        if self._stopping and not any(one.busy for one in self._callers):
            self._quiet.set()

    def _again(self, caller: Caller) -> None:
        if not self._stopping:
            caller.send()

    def _tick(self, start: float, number: int) -> None:
        """Send the request that is due, on the connection that was used last."""
        if self._stopping:
            return
        due = start + number / self.job.rate
        self._late = max(self._late, self._loop.time() - due)
        if self._idle:
            self._idle.pop().send()
        else:
            self._errors["no free connection"] += 1
        self._loop.call_at(start + (number + 1) / self.job.rate, self._tick, start, number + 1)

    async def _connect(self) -> None:
        for _ in range(self.job.connections):
            _, caller = await self._loop.create_connection(lambda: Caller(self), "127.0.0.1", self.job.port)
            self._callers.append(caller)
        self._idle = list(reversed(self._callers))

    async def _measure(self) -> Outcome:
        before = self._clocks()
        answers, events = self._answers, self._arrived()
        began = time.perf_counter()
        self.measuring = True
        await asyncio.sleep(self.job.seconds)
        self.measuring = False
        seconds = time.perf_counter() - began
        answers, events = self._answers - answers, self._arrived() - events
        subject, own, machine = (after - was for after, was in zip(self._clocks(), before, strict=True))
        gaps = sorted(self.gaps or ())
        return Outcome(
            seconds=seconds,
            answers=events / EVENTS if self.streamed else float(answers),
            cpu_us=subject / 1000,
            load_us=own / 1000,
            foreign_us=max(0.0, (machine - subject - own) / 1000),
            latencies_ms=[1000 * latency for latency in self._latencies],
            late_ms=1000 * self._late,
            gaps_ms=[1000 * percentile(gaps, at) for at in (0.5, 0.99, 1.0)] if gaps else [],
        )

    def _arrived(self) -> int:
        """Count the events so far, those of unfinished answers too."""
        return self.events + sum(caller.events for caller in self._callers) if self.streamed else 0

    def _clocks(self) -> tuple[int, int, int]:
        subject = cpu_ns(self.job.subject) if self.job.subject else 0
        own = time.process_time_ns() + (cpu_ns(self.job.upstream) if self.job.upstream else 0)
        return subject, own, machine_busy_ns()

    async def _drain(self, outcome: Outcome) -> None:
        if any(caller.busy for caller in self._callers):
            try:
                await asyncio.wait_for(self._quiet.wait(), self.job.drain)
            except TimeoutError:
                self._errors["unanswered"] += sum(caller.busy for caller in self._callers)
        for caller in self._callers:
            caller.close()
        outcome.errors = dict(self._errors)


def _request(job: Job) -> bytes:
    body = request_body(job.model)
    headers = {"host": f"127.0.0.1:{job.port}", "content-type": "application/json", "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | job.headers).items())
    return f"POST {job.path} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def main() -> None:
    """Do the job on standard input."""
    job = decode_job(sys.stdin.buffer.read())
    outcome = await Run(job, asyncio.get_running_loop()).do()
    sys.stdout.buffer.write(encode(outcome))


if __name__ == "__main__":
    uvloop.run(main())
