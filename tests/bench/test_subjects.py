from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import pytest

from tests.bench import litellm_env
from tests.bench.bodies import MODELS
from tests.bench.processes import BenchError, Launch, Running, free_port
from tests.bench.subjects import SUBJECTS, Site, Subject, gatehouse

_CORE = min(os.sched_getaffinity(0))


def _subject(name: str) -> Subject:
    return next(subject for subject in SUBJECTS if subject.name == name)


@pytest.mark.parametrize("name", ["nginx", "floor", "floor-aiohttp", "gatehouse"])
def test_a_subject_relays_to_the_upstream(name: str, tmp_path: Path) -> None:
    upstream, port = free_port(), free_port()
    try:
        launch = _subject(name).prepare(Site(tmp_path, port, upstream))
    except BenchError as error:
        pytest.skip(str(error)) if name == "nginx" else pytest.fail(str(error))
    fake = Launch([sys.executable, "-m", "tests.bench.upstream", str(upstream)])
    with Running("upstream", fake, core=_CORE, folder=tmp_path), Running(name, launch, core=_CORE, folder=tmp_path) as running:
        running.wait_until_answering(port)


def test_names_are_unique_and_rates_are_positive() -> None:
    assert len({subject.name for subject in SUBJECTS}) == len(SUBJECTS)
    assert all(subject.rate > 0 for subject in SUBJECTS)


def test_a_gatehouse_with_other_settings_is_one_more_entry(tmp_path: Path) -> None:
    launch = gatehouse(settings="\n[tenants.other]\n", route='timeout = "9s"\n')(Site(tmp_path, free_port(), free_port()))
    written = tomllib.loads((tmp_path / "gateway.toml").read_text())
    assert set(written["routes"]) == set(MODELS)
    assert {route["timeout"] for route in written["routes"].values()} == {"9s"}
    assert "other" in written["tenants"]
    assert launch.headers["authorization"].startswith("Bearer gth_")


def test_litellm_is_locked_with_hashes_and_without_addresses() -> None:
    lines = litellm_env.LOCK.read_text().splitlines()
    pinned = [line for line in lines if "==" in line]
    assert len(pinned) > 50
    assert any(line.startswith("litellm==") for line in pinned)
    assert all(line.endswith("\\") for line in pinned)
    assert "://" not in litellm_env.LOCK.read_text()


def test_another_lock_or_python_is_another_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert litellm_env.folder().parent == tmp_path / "gatehouse-bench"
    assert litellm_env.folder().name.startswith("litellm-")
