from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.bench import proc
from tests.bench.proc import Memory, Stat

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

_LINE = "4242 (a (b) c) S 17 4242 4242 0 -1 4194560 150 0 0 0 12 34 5 6 20 0 1 0 8000 12288000 900 18446744073709551615"
_ROLLUP = """5646f2fd9000-7ffc05a89000 ---p 00000000 00:00 0                          [rollup]
Rss:                1644 kB
Pss:                 279 kB
Pss_Dirty:           116 kB
"""
_SPIN = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
_NESTED = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {_SPIN!r}])"


def test_a_command_with_brackets_and_spaces_does_not_shift_the_fields() -> None:
    assert Stat.parse(_LINE) == Stat(4242, 17, 12 * _TICK, 34 * _TICK, 11 * _TICK)


def test_memory_is_read_in_bytes_and_parts_of_pss_are_not_taken_for_it() -> None:
    assert Memory.parse(_ROLLUP) == Memory(rss=1644 * 1024, pss=279 * 1024)


def test_memory_adds_up() -> None:
    assert Memory(1, 2) + Memory(10, 20) == Memory(11, 22)


def test_busy_time_leaves_out_idle_and_waiting() -> None:
    assert proc.busy_ns("cpu  1 2 3 1000 2000 4 5 6 0 0\ncpu0 9 9 9 9 9 9 9 9 0 0\n") == 21 * _TICK


def test_a_family_holds_grandchildren_and_nobody_else() -> None:
    def process(pid: int, parent: int) -> Stat:
        return Stat(pid, parent, 0, 0, 0)

    among = [process(30, 20), process(20, 10), process(10, 1), process(11, 1), process(21, 11)]
    assert {one.pid for one in proc.family(10, among)} == {10, 20, 30}


def test_a_process_that_ended_while_reading_is_left_out() -> None:
    assert proc.cpu_ns(2**22 + 1) == 0
    assert proc.memory(2**22 + 1) == Memory()


@pytest.mark.parametrize("program", [_SPIN, _NESTED], ids=["itself", "its child"])
def test_the_cpu_clock_agrees_with_proc_stat(program: str) -> None:
    """The figure is user + system of /proc, only finer: both see the 0.3 s that the program burnt."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        members = proc.family(process.pid, proc.stats())
        ticks = sum(one.user + one.system + one.reaped for one in members)
        clock = proc.cpu_ns(process.pid)
        assert clock >= 300_000_000
        assert abs(clock - ticks) <= 2 * _TICK * len(members)
        process.communicate(b"\n")


def test_the_time_of_a_child_that_has_ended_still_counts() -> None:
    program = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {_SPIN!r}], input=b'\\n')\nprint(flush=True)\ninput()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        assert len(proc.family(process.pid, proc.stats())) == 1
        assert proc.cpu_ns(process.pid) >= 280_000_000
        process.communicate(b"\n")


def test_the_machine_is_busy_at_least_as_long_as_we_are() -> None:
    machine, own = proc.machine_busy_ns(), time.process_time_ns()
    while time.process_time_ns() - own < 100_000_000:
        pass
    assert proc.machine_busy_ns() - machine >= 100_000_000 - 4 * _TICK


def test_our_own_memory_is_plausible() -> None:
    own = proc.memory(os.getpid())
    assert 1_000_000 < own.pss <= own.rss
