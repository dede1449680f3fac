from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bench.bench import Bench
from tests.bench.bodies import PLAIN
from tests.bench.plan import Scenario, Step
from tests.bench.processes import BenchError, Launch
from tests.bench.subjects import Site, Subject, floor

_PLAIN = Scenario("plain", PLAIN, 4)


def _absent(site: Site) -> Launch:
    raise BenchError(f"not installed, so nothing listens on {site.port}")


def test_a_subject_that_cannot_be_started_is_left_out_with_its_reason(tmp_path: Path) -> None:
    with ExitStack() as stack:
        bench = Bench(tmp_path, stack, seconds=0.1, passes=1)
        with pytest.raises(BenchError, match="nothing to measure"):
            bench.start([Subject("absent", _absent)])
    assert bench.missing["absent"].startswith("not installed")


def test_a_pass_measures_the_cpu_of_its_subject(tmp_path: Path) -> None:
    with ExitStack() as stack:
        bench = Bench(tmp_path, stack, seconds=0.2, passes=1)
        bench.start([Subject("absent", _absent), Subject("floor", floor)])
        outcome = bench.do(Step(0, _PLAIN, "floor", 0.0, 0.1))
    assert outcome.errors == {}
    assert 5 < outcome.cpu_us / outcome.answers < 2000


def test_a_subject_that_died_gives_errors_instead_of_figures(tmp_path: Path) -> None:
    with ExitStack() as stack:
        bench = Bench(tmp_path, stack, seconds=0.2, passes=1)
        bench.start([Subject("floor", floor)])
        bench.stations["floor"].running.stop()
        outcome = bench.do(Step(0, _PLAIN, "floor", 0.0, 0.1))
    assert outcome.answers == 0
    assert list(outcome.errors) == ["no connection: Connection refused"]
