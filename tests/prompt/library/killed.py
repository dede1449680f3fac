"""Publishes again and again, each time killed one step later: python killed.py FOLDER COPIES, until one is not killed.

A step is a file that is opened, renamed, removed or locked. Prints for each copy of the folder how its publication ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

from gateway.prompt.library.publish import publish
from tests.prompt.shelf import TRIAGE

STEPS = frozenset({"open", "os.rename", "os.remove", "fcntl.flock"})


def run(root: Path, steps: int) -> None:
    """Publish and be killed at the step."""
    left = steps

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in STEPS and (event == "fcntl.flock" or str(arguments[0]).startswith(str(root))):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    publish(root, TRIAGE)


def main(folder: Path, copies: Path) -> None:
    """Go on until a publication comes to its end."""
    for steps in count(1):
        root = copies / str(steps)
        shutil.copytree(folder, root)
        child = os.fork()
        if child == 0:
            run(root, steps)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print("killed" if os.WIFSIGNALED(status) else f"exit {os.waitstatus_to_exitcode(status)}")  # noqa: T201  # the report
        if not os.WIFSIGNALED(status):
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
