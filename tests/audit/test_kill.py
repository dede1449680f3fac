"""kill -9 at any time: every entry that was acknowledged is there, no index is missing or given twice, all that began is over."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.audit.canonical import encode
from gateway.audit.entry import Config
from gateway.audit.layout import slot_folder
from gateway.audit.merkle import leaf_hash
from tests.audit.logs import Bench, entries_in

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 20


def round_of(store: Path, first: int, *, lines: int, how: str = "") -> list[str]:
    """Let a process append, kill it after so many acknowledgements, and return all that it gave."""
    command = [sys.executable, "-m", "tests.audit.appender", str(store), str(first), *filter(None, [how])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        told += process.stdout.readlines()
    assert process.returncode == -9
    return [line.decode() for line in told if line.endswith(b"\n")]


def missing(folder: Path, told: list[str]) -> list[str]:
    """Return the acknowledgements that the log does not bear out."""
    leaves = [leaf_hash(encode(each)).hex() for each in entries_in(folder)]
    lost = []
    for line in told:
        _, _, index, leaf = line.split()
        if int(index) >= len(leaves) or leaves[int(index)] != leaf:
            lost.append(line)
    return lost


@pytest.mark.timeout(240)
def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311  # when to kill
    told: list[str] = []
    for number in range(ROUNDS):
        told += round_of(tmp_path, number * 1_000_000, lines=chance.randint(1, 200))
    bench = Bench(tmp_path)
    asyncio.run(bench.open().close())  # recovers the last round; entries_in checks each exchange's story
    folder = slot_folder(tmp_path, "0")
    assert len(told) > ROUNDS
    assert missing(folder, told) == []
    entries = entries_in(folder)
    assert [each.clean for each in entries if isinstance(each, Config)] == [True] + [False] * ROUNDS
    begun = sum(type(each).__name__ == "Begin" for each in entries)
    assert begun == sum(type(each).__name__ in {"End", "Abandoned"} for each in entries)
    assert not slot_folder(tmp_path, "1").exists()


@pytest.mark.timeout(120)
def test_control_acknowledging_before_an_entry_is_durable_is_found_out(tmp_path: Path) -> None:
    for number in range(10):
        told = round_of(tmp_path, number * 1_000_000, lines=50, how="early")
        if missing(slot_folder(tmp_path, "0"), told):
            return
    pytest.fail("ten kills lost nothing: the check cannot tell")
