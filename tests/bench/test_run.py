from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.bench.proc import stats
from tests.bench.processes import ROOT

_RUN = str(Path(__file__).with_name("run.py"))


@pytest.mark.timeout(120)
def test_a_quick_look_measures_prints_writes_and_ends_every_process(tmp_path: Path) -> None:
    options = ["--only", "floor", "--seconds", "0.3", "--passes", "1", "--output", str(tmp_path)]
    done = subprocess.run([sys.executable, _RUN, *options], capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert b"CPU \xc2\xb5s per answer" in done.stdout
    record = msgspec.json.decode((tmp_path / "quick.json").read_bytes())
    figures = record["subjects"]["floor"]["figures"]
    assert record["subjects"]["floor"]["valid"]
    assert {"plain_us", "burst_us", "paced_us", "added_p50_ms", "gap_worst_ms", "start_s"} <= set(figures)
    assert figures["plain_us"]["median"] < figures["burst_us"]["median"] < figures["paced_us"]["median"]
    assert record["ratios"]["floor"]["plain/floor"] == 1.0
    assert (tmp_path / "quick.png").exists()
    assert not [stat.pid for stat in stats() if stat.parent == 1 and "tests.bench.floor" in _command(stat.pid)]


def test_wrong_use_is_told_in_one_line() -> None:
    done = subprocess.run([sys.executable, _RUN, "--only", "envoy"], capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert b"unknown: envoy; there are nginx, floor, floor-aiohttp, gatehouse, litellm" in done.stderr


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
