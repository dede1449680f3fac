from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.plan import DIRECT
from tests.bench.plot import draw
from tests.bench.proc import Memory
from tests.bench.report import Result
from tests.bench.stats import Figure

_MACHINE: dict[str, object] = {
    "processor": "EPYC",
    "cores": 2,
    "python": "3.11.7",
    "python_build": "no PGO, no LTO",
    "commit": "abc",
}


@pytest.mark.filterwarnings("default")
def test_a_run_is_drawn_though_figures_are_missing_or_below_zero(tmp_path: Path) -> None:
    figures = {"plain_us": Figure(40.0, 38.0, 41.0), "added_p50_ms": Figure(-0.1, -0.2, 0.1), "start_s": Figure(0.2, 0.1, 0.3)}
    floor = Result("floor", figures, {}, Memory(34_000_000, 22_000_000), 200.0)
    broken = Result("gatehouse", {}, {"plain: status 500": 1}, Memory(), 200.0)
    direct = Result(DIRECT, {}, {}, Memory(), 0.0)
    draw([direct, floor, broken], tmp_path / "run.png", machine=_MACHINE, noise=Figure(0.1, 0.0, 0.2))
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
