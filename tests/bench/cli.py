"""The harness: starts the subjects before one upstream, loads them in turns, reports.

    .venv/bin/python tests/bench/run.py [--only gatehouse,floor] [--seconds N] [--passes N] [--output DIR] [--no-plot]

A full run takes up to five minutes and writes `results/latest.json` and `latest.png`; with `--only` a quick look writes
`quick.json` and `quick.png`. Exit code 1 when a subject could not be measured or gave a wrong answer.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import machine, plot
from tests.bench.bench import Bench
from tests.bench.processes import BenchError
from tests.bench.record import Record
from tests.bench.report import foreign, tables
from tests.bench.subjects import SUBJECTS

_NOISY = 0.2
"""Cores that others may use before a run is called noisy."""

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    only: tuple[str, ...]
    seconds: float
    passes: int
    plot: bool
    output: Path = RESULTS


def options(arguments: Sequence[str]) -> Options:
    """Read the command line."""
    names = [subject.name for subject in SUBJECTS]
    parser = argparse.ArgumentParser(description="Measure what proxies cost, side by side.")
    parser.add_argument("--only", help=f"subjects, separated by commas: {', '.join(names)}", default="")
    parser.add_argument("--seconds", type=float, help="length of a measured window (default 2, with --only 1)")
    parser.add_argument("--passes", type=int, help="rounds, of which the median is taken (default 3, with --only 2)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the JSON and the PNG")
    parser.add_argument("--no-plot", action="store_true", help="write no PNG")
    given = parser.parse_args(arguments)
    only = tuple(name.strip() for name in given.only.split(",") if name.strip())
    if unknown := sorted(set(only) - set(names)):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(names)}")
    seconds = given.seconds or (1.0 if only else 2.0)
    passes = given.passes or (2 if only else 3)
    if seconds <= 0 or passes <= 0:
        parser.error("--seconds and --passes are positive")
    return Options(only, seconds, passes, not given.no_plot, given.output)


def run(settings: Options) -> int:
    """Do a run and report it."""
    began = time.perf_counter()
    place = machine.describe()
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    subjects = [subject for subject in SUBJECTS if not settings.only or subject.name in settings.only]
    try:
        with ExitStack() as stack:
            bench = Bench(folder, stack, seconds=settings.seconds, passes=settings.passes)
            bench.start(subjects)
            bench.measure()
            results = bench.results()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    noise = foreign(bench.passes)
    print(tables(results))
    print(f"\n{place['processor']}, {place['cores']} cores, Python {place['python']} ({place['python_build']})")
    print(f"other programs kept {noise.median:.2f} cores busy during a pass (at most {noise.high:.2f})")
    if noise.median > _NOISY:
        print("WARNING: the machine was not quiet; trust neither the figures nor, where the ranges are wide, the ratios")
    path = settings.output / ("quick.json" if settings.only else "latest.json")
    settings.output.mkdir(exist_ok=True)
    record = Record.of(place, results, noise=noise, missing=bench.missing)
    record.seconds, record.passes = settings.seconds, settings.passes
    record.took = round(time.perf_counter() - began, 1)
    path.write_bytes(record.encode())
    if settings.plot:
        plot.draw(results, path.with_suffix(".png"), machine=place, noise=noise)
    print(f"{record.took:.0f} s; written: {path}")
    return 1 if bench.missing or not all(one.valid for one in results) else 0


def main() -> int:
    """Run from the command line; a signal ends every process that was started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return run(options(sys.argv[1:]))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
