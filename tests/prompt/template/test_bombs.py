from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gateway.prompt.template.limits import RenderLimits
from tests.prompt.template.bodies import compiled
from tests.prompt.template.bombs import BOMBS, DEADLY, LARGE, Bomb
from tests.prompt.template.explosion import Report

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

ROOT = Path(__file__).resolve().parents[3]
MOST_MILLISECONDS = 50
MOST_KILOBYTES = 4096


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """Return what every bomb did, told by one process that forks another for each."""
    command = [sys.executable, "-m", "tests.prompt.template.explosion"]
    # nothing else of the environment: a process whose coverage is measured takes three times as long
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=50, env=environment)
    told = [msgspec.json.decode(line, type=Report) for line in run.stdout.splitlines()]
    return {report.name: report for report in told}


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.name)
def test_a_bomb_ends_as_an_error_soon_and_small(bomb: Bomb, reports: dict[str, Report]) -> None:
    report = reports[bomb.name]
    assert report.outcome.startswith(("refused", "failed")), report
    assert report.milliseconds <= MOST_MILLISECONDS, report
    assert report.kilobytes <= MOST_KILOBYTES, report


def test_there_are_bombs_enough_and_each_has_its_name() -> None:
    assert len({bomb.name for bomb in BOMBS}) == len(BOMBS) >= 20


def test_control_a_large_rendering_is_measured(reports: dict[str, Report]) -> None:
    report = reports[LARGE.name]
    assert report.outcome == "rendered"
    assert report.kilobytes > MOST_KILOBYTES
    assert report.milliseconds > 0


def test_control_a_bomb_that_takes_its_process_along_is_told(reports: dict[str, Report]) -> None:
    assert reports[DEADLY.name].outcome == "died: 7"


def test_control_a_bomb_goes_off_where_the_limits_are_wide() -> None:
    bomb = next(bomb for bomb in BOMBS if bomb.name == "a large value in a loop")
    wide = RenderLimits(fuel=10**9, output_chars=10**9)
    (message,) = compiled(bomb.body, {"docs": "array", "big": "string"}, limits=wide).render(bomb.values)
    assert len(str(message.content)) > 1024 * MOST_KILOBYTES
