"""What the kernel knows of processes: CPU time and memory of a process with its descendants, and of the machine.

CPU time is the process's CPU clock (clock_getcpuclockid(3)): user and system time of all its threads, ended ones too, in
nanoseconds. /proc/PID/stat shows the same figure in ticks of 10 ms, and is read for what only it has: parents, and the time
of children that have ended.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROC = Path("/proc")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED = 2


@dataclass(frozen=True, slots=True)
class Stat:
    """What is used of /proc/PID/stat; times in nanoseconds, `reaped` is that of children that ended and were waited for."""

    pid: int
    parent: int
    user: int
    system: int
    reaped: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one line; a command's name may hold spaces and brackets, so fields count from the last bracket."""
        before, _, after = text.rpartition(")")
        fields = after.split()
        user, system, child_user, child_system = (int(field) * _TICK_NS for field in fields[11:15])
        return cls(int(before.split(" ", 1)[0]), int(fields[1]), user, system, child_user + child_system)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident and proportional set size, in bytes."""

    rss: int = 0
    pss: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a smaps_rollup."""
        sizes = {line.split(":")[0]: line.split()[1] for line in text.splitlines() if line.endswith(" kB")}
        return cls(int(sizes["Rss"]) * 1024, int(sizes["Pss"]) * 1024)

    def __add__(self, other: Self) -> Memory:
        return Memory(self.rss + other.rss, self.pss + other.pss)


def stats() -> list[Stat]:
    """Return every process that there is."""
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                found.append(Stat.parse((entry / "stat").read_text()))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
    return found


def family(root: int, among: list[Stat]) -> list[Stat]:
    """Return a process and its descendants."""
    members = {root}
    while more := {stat.pid for stat in among if stat.parent in members} - members:
        members |= more
    return [stat for stat in among if stat.pid in members]


def cpu_ns(root: int) -> int:
    """Return the CPU time of a process and its descendants, in nanoseconds."""
    return sum(_clock_ns(stat.pid) + stat.reaped for stat in family(root, stats()))


def memory(root: int) -> Memory:
    """Return the memory of a process and its descendants."""
    total = Memory()
    for stat in family(root, stats()):
        try:
            total += Memory.parse((_PROC / str(stat.pid) / "smaps_rollup").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    return total


def busy_ns(text: str) -> int:
    """Return from /proc/stat how long all cores together have not been idle, stolen time included."""
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(field) for field in text.split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) * _TICK_NS


def machine_busy_ns() -> int:
    """Return `busy_ns` of this machine, now."""
    return busy_ns((_PROC / "stat").read_text())


def _clock_ns(pid: int) -> int:
    try:
        return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return 0  # it has just ended
