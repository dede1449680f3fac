"""Importing is free: no module of the product does anything when it is imported, and `serve` loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PROBE = """
import asyncio, importlib, socket, sqlite3, sys, threading

def refuse(*_args, **_kwargs):
    raise AssertionError("work at import")

socket.socket.connect = socket.socket.bind = sqlite3.connect = asyncio.new_event_loop = threading.Thread.start = refuse
for name in sys.argv[1:]:
    importlib.import_module(name)
print(" ".join(sorted(sys.modules)))
"""

HEAVY = {"litellm", "guardrails", "httpx", "requests", "tiktoken", "numpy", "matplotlib", "vllm", "torch", "openai", "pytest"}
MIGRATIONS = ROOT / "gateway" / "store" / "migrations"  # Alembic runs them


def _imported(*modules: str, folder: Path = ROOT) -> set[str]:
    """Return what is loaded after importing the modules in a process of its own in which nothing may be done meanwhile."""
    done = subprocess.run([sys.executable, "-c", PROBE, *modules], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def _modules() -> list[str]:
    files = [path for package in ("gateway", "guards") for path in sorted((ROOT / package).rglob("*.py"))]
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in files
        if not path.is_relative_to(MIGRATIONS) and path.stem != "__main__"
    ]


def test_no_module_works_at_import() -> None:
    assert set(_modules()) <= _imported(*_modules())
    assert len(_modules()) > 50


def test_the_gateway_loads_nothing_heavy() -> None:
    assert _imported("gateway.app", "gateway.cli.serve") & HEAVY == set()


def test_control_work_at_import_is_found(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text("import threading\nthreading.Thread(target=print).start()\n")
    with pytest.raises(AssertionError, match="work at import"):
        _imported("sample", folder=tmp_path)
