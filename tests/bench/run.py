"""`make bench`: measures the proxies side by side. See `tests/bench/cli.py` for what it does and takes."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    runpy.run_module("tests.bench.cli", run_name="__main__")
