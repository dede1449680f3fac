from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import processes
from tests.bench.proc import family, stats
from tests.bench.processes import BenchError, Cores, Launch, Running, free_port, pinned

_CORE = min(os.sched_getaffinity(0))

_STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(child, flush=True)
while True:
    signal.pause()
"""


def _start(folder: Path, *command: str) -> Running:
    return Running("subject", Launch([sys.executable, *command]), core=_CORE, folder=folder)


def _alive(pid: int) -> bool:
    """Whether there is such a process; an orphan that ended may wait for init to take note of it."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("available", "expected"),
    [([3], Cores(3, 3, 3)), ([0, 1], Cores(1, 0, 0)), ([0, 1, 2], Cores(2, 1, 0)), ([4, 5, 6, 7], Cores(7, 5, 4))],
)
def test_the_subject_has_a_core_of_its_own_where_there_are_two(available: list[int], expected: Cores) -> None:
    assert Cores.of(available) == expected


def test_what_starts_within_is_pinned_and_what_starts_after_is_not() -> None:
    before = os.sched_getaffinity(0)
    with pinned(_CORE):
        inside = subprocess.run(
            [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"], capture_output=True, check=True
        )
    assert inside.stdout.strip() == f"{{{_CORE}}}".encode()
    assert os.sched_getaffinity(0) == before


def test_a_subject_is_ready_when_it_answers_completely(tmp_path: Path) -> None:
    port = free_port()
    with _start(tmp_path, "-m", "tests.bench.upstream", str(port)) as running:
        assert 0 < running.wait_until_answering(port) < processes.START_LIMIT
        running.wait_until_listening(port)
    assert not _alive(running.pid)


def test_a_subject_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    running = _start(tmp_path, "-c", "import sys; sys.exit('no such setting')")
    with running, pytest.raises(BenchError, match=r"subject ended with 1: .*no such setting"):
        running.wait_until_answering(free_port())


def test_what_does_not_heed_a_polite_end_is_killed_with_its_children(tmp_path: Path) -> None:
    launch = Launch([sys.executable, "-c", _STUBBORN])
    running = Running("stubborn", launch, core=_CORE, folder=tmp_path, patience=0.2)
    while not (said := (tmp_path / "stubborn.log").read_text().strip()):
        os.sched_yield()
    members = [stat.pid for stat in family(running.pid, stats())]
    assert int(said) in members
    running.stop()
    assert not any(_alive(pid) for pid in members)


def test_bytecode_is_always_cached_for_a_subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the cache LiteLLM compiles a file per request."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    launch = Launch([sys.executable, "-c", "import os; print(os.environ.get('PYTHONDONTWRITEBYTECODE'), os.environ['MORE'])"])
    launch.environment["MORE"] = "yes"
    with Running("said", launch, core=_CORE, folder=tmp_path) as running:
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
    assert (tmp_path / "said.log").read_text().strip() == "None yes"
