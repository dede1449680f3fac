"""Where a run took place: processor, kernel, Python build, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sysconfig
from pathlib import Path

from tests.bench import litellm_env
from tests.bench.processes import ROOT

PACKAGES = ("gatehouse", "uvicorn", "uvloop", "httptools", "aiohttp", "msgspec", "orjson", "pydantic")
_LITELLM_PACKAGES = ("litellm", "uvicorn", "uvloop", "httptools", "fastapi", "aiohttp", "orjson")


def describe() -> dict[str, object]:
    """Return what a reader needs to judge the figures."""
    return {
        "processor": processor(Path("/proc/cpuinfo").read_text()),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "python_build": python_build(str(sysconfig.get_config_var("CONFIG_ARGS") or "")),
        "python_config_args": build_options(sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "commit": _said("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"),
        "nginx": _said("nginx", "-v"),
        "packages": {name: _version(name) for name in PACKAGES},
        "litellm_packages": _litellm(),
    }


def processor(cpuinfo: str) -> str:
    """Return the processor's name out of /proc/cpuinfo."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def python_build(arguments: str) -> str:
    """Say from configure's arguments whether Python was built with profile-guided and link-time optimisation."""
    pgo = "PGO" if "--enable-optimizations" in arguments else "no PGO"
    return f"{pgo}, {'LTO' if '--with-lto' in arguments else 'no LTO'}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _litellm() -> dict[str, str]:
    packages = litellm_env.folder().glob("lib/python*/site-packages")
    found = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions(path=[str(path) for path in packages])}
    return {name: found.get(name, "absent") for name in _LITELLM_PACKAGES}


def _said(*command: str) -> str:
    """Return what a program says of itself, on whichever stream."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    try:
        said = subprocess.run(command, capture_output=True, check=False, timeout=10, env={**os.environ, "PATH": path})
    except OSError:
        return "absent"
    if said.returncode:
        return "unknown"
    return (said.stdout or said.stderr).decode(errors="replace").strip()


def build_options(arguments: str) -> list[str]:
    """Return what Python was configured with, without the folders that it was built for."""
    return [each for each in arguments.replace("'", "").split() if each.startswith(("--enable-", "--with-")) and "=/" not in each]
