"""Runs bombs, each in a process of its own that was forked warm, and tells what each cost: CPU time and growth of memory.

    python -m tests.prompt.template.explosion

Prints one JSON object a line: {"name", "outcome", "milliseconds", "kilobytes"}.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway.errors import ClientError
from gateway.prompt.file.problem import PromptInvalid
from tests.prompt.template.bodies import compiled, kind
from tests.prompt.template.bombs import BOMBS, CONTROLS, Bomb

WARM = Bomb("none", "{% for d in docs %}{{ d|upper }} {{ d|replace('a', 'b')|tojson }}{% endfor %}", {"docs": ["a"]})
_CLEAR_PEAK = "5"


@dataclass(frozen=True, slots=True)
class Report:
    """What a bomb did: `outcome` is "refused" (when loaded), "failed" (when rendered), "rendered", or how its process died."""

    name: str
    outcome: str
    milliseconds: float = 0.0
    kilobytes: int = 0


def explode(bomb: Bomb) -> Report:
    """Compile and render a bomb here, and measure."""
    Path("/proc/self/clear_refs").write_text(_CLEAR_PEAK)
    before, began = _memory("VmRSS"), time.process_time()
    try:
        compiled(bomb.body, {name: kind(value) for name, value in bomb.values.items()}).render(bomb.values)
        outcome = "rendered"
    except PromptInvalid:
        outcome = "refused"
    except ClientError as error:
        outcome = f"failed: {error.reason}"
    spent = time.process_time() - began
    return Report(bomb.name, outcome, round(spent * 1000, 1), max(0, _memory("VmHWM") - before))


def _memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise LookupError(field)


def apart(bomb: Bomb) -> Report:
    """Explode in a forked process; one that dies is reported too."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        explode(WARM)  # what is touched first in a forked process is copied, and would count as the bomb's
        os.write(writing, msgspec.json.encode(explode(bomb)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if told and not status:
        return msgspec.json.decode(told, type=Report)
    return Report(bomb.name, f"died: {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    explode(WARM)
    for bomb in BOMBS + CONTROLS:
        sys.stdout.write(msgspec.json.encode(apart(bomb)).decode() + "\n")
        sys.stdout.flush()
