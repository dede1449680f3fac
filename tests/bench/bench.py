"""One run: the upstream, the subjects before it, the passes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.jobs import Job, Outcome, decode_outcome, encode
from tests.bench.plan import DIRECT, Step, steps
from tests.bench.proc import Memory, memory
from tests.bench.processes import ROOT, BenchError, Cores, Launch, Running, free_port, pinned
from tests.bench.report import Pass, Result, result
from tests.bench.subjects import Site, Subject

_QUICK_START = 2.0
"""A subject that starts within so many seconds is started again, once per pass, for a better figure."""


@dataclass(slots=True)
class Station:
    """A subject that runs: where, since when, how."""

    subject: Subject
    port: int
    running: Running
    starts: list[float]


class Bench:
    """One run: its upstream, its subjects, its passes."""

    def __init__(self, folder: Path, stack: ExitStack, *, seconds: float, passes: int) -> None:
        self.seconds = seconds
        self.rounds = passes
        self._folder = folder
        self._stack = stack
        self._cores = Cores.of(sorted(os.sched_getaffinity(0)))
        self._upstream_port = free_port()
        self._upstream: Running
        self.stations: dict[str, Station] = {}
        self.missing: dict[str, str] = {}
        self.passes: list[Pass] = []

    def start(self, subjects: Sequence[Subject]) -> None:
        """Start the upstream, then every subject that can be started; `missing` says why one could not."""
        command = [sys.executable, "-m", "tests.bench.upstream", str(self._upstream_port)]
        upstream = Running("upstream", Launch(command), core=self._cores.upstream, folder=self._folder)
        self._upstream = self._stack.enter_context(upstream)
        self._upstream.wait_until_listening(self._upstream_port)
        for subject in subjects:
            try:
                self.stations[subject.name] = self._station(subject)
            except BenchError as error:
                self.missing[subject.name] = str(error)
                print(f"{subject.name} is left out: {error}", flush=True)
        if not self.stations:
            raise BenchError("nothing to measure")

    def _station(self, subject: Subject) -> Station:
        folder = self._folder / subject.name
        folder.mkdir()
        site = Site(folder, free_port(), self._upstream_port)
        launch = subject.prepare(site)
        starts: list[float] = []
        while True:
            running = self._stack.enter_context(Running(subject.name, launch, core=self._cores.subject, folder=folder))
            starts.append(running.wait_until_answering(site.port))
            if len(starts) >= self.rounds or starts[0] > _QUICK_START:
                return Station(subject, site.port, running, starts)
            running.stop()

    def measure(self) -> None:
        """Go through the plan."""
        subjects = [station.subject for station in self.stations.values()]
        plan = list(steps(subjects, passes=self.rounds))
        for number, step in enumerate(plan, 1):
            if sys.stderr.isatty():
                print(f"\r{number}/{len(plan)} {step.scenario.name} {step.subject:20}", end="", file=sys.stderr, flush=True)
            self.passes.append(Pass(step, self.do(step)))
        if sys.stderr.isatty():
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr)

    def do(self, step: Step) -> Outcome:
        """Do one pass."""
        station = self.stations.get(step.subject)
        job = Job(
            model=step.scenario.model,
            port=station.port if station else self._upstream_port,
            headers=station.running.launch.headers if station else {},
            connections=step.scenario.connections,
            seconds=self.seconds,
            warmup=step.warmup,
            ramp=step.scenario.ramp,
            rate=step.rate,
            gaps=step.scenario.gaps,
            subject=station.running.pid if station else 0,
            upstream=self._upstream.pid,
        )
        command = [sys.executable, "-m", "tests.bench.load"]
        with pinned(self._cores.load):
            done = subprocess.run(command, input=encode(job), capture_output=True, check=False, cwd=ROOT, timeout=120)
        if done.returncode:
            raise BenchError(f"the load generator failed on {step.subject}: {done.stderr.decode()[-400:]}")
        return decode_outcome(done.stdout)

    def results(self) -> list[Result]:
        """Sum up; memory is read now, after the load."""
        found = [
            result(name, self.passes, starts=station.starts, memory=memory(station.running.pid))
            for name, station in self.stations.items()
        ]
        return [result(DIRECT, self.passes, starts=[], memory=Memory()), *found]
