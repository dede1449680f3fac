"""LiteLLM's proxy in an environment of its own, made once from a lock file with hashes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.bench.processes import BenchError

LOCK = Path(__file__).with_name("litellm.lock")


def folder() -> Path:
    """Return where the environment is kept: another lock file or Python, another folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    mark = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return cache / "gatehouse-bench" / f"litellm-{mark}"


def ensure() -> Path:
    """Return LiteLLM's program, setting up its environment where there is none."""
    home = folder()
    done = home / "complete"
    if not done.exists():
        print(f"setting up LiteLLM's proxy in {home}, once …", flush=True)
        python = home / "bin" / "python"
        _run(sys.executable, "-m", "venv", "--clear", str(home))
        _run(str(python), "-m", "pip", "install", "-q", "--require-hashes", "--no-deps", "-r", str(LOCK))
        done.touch()
    return home / "bin" / "litellm"


def _run(*command: str) -> None:
    made = subprocess.run(command, capture_output=True, check=False, timeout=900)
    if made.returncode:
        words = made.stderr.decode(errors="replace").strip().splitlines()
        raise BenchError(f"LiteLLM's environment could not be made: {words[-1] if words else command}")
