"""The locks: every package with version and hash, nothing that pyproject.toml asks for left out, one version everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ["requirements.lock", "deploy/requirements.lock", "deploy/build-requirements.lock"]
EXTRAS = ("managed", "guardrails", "postgres", "dev")  # not vllm: the inference server has an environment of its own

_PIN = re.compile(
    r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([^ ;\\\n]+)(?: ; ([^\\\n]+?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    re.MULTILINE,
)


def _pins(lock: str) -> dict[str, set[str]]:
    """Return the versions of each package in a lock; one that is pinned without a hash is not among them."""
    found: dict[str, set[str]] = {}
    for pin in _PIN.finditer(lock):
        found.setdefault(pin[1], set()).add(pin[2])
    return found


def _unhashed(lock: str) -> list[str]:
    named = set(re.findall(r"^([A-Za-z0-9._-]+)\b[^#\n]*", lock, re.MULTILINE))
    return sorted(named - set(_pins(lock)))


def _missing(project: dict[str, list[str]], lock: str) -> list[str]:
    """Return the requirements, listed under the extra that they belong to, that no pin of the lock satisfies."""
    pins = _pins(lock)
    return [
        f"{extra or 'gatehouse'}: {text}"
        for extra, texts in project.items()
        for text in texts
        if not any(
            Requirement(text).specifier.contains(Version(version), prereleases=True)
            for version in pins.get(canonicalize_name(Requirement(text).name), ())
        )
    ]


def _asked(*extras: str) -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"": project["dependencies"], **{extra: project["optional-dependencies"][extra] for extra in extras}}


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_a_hash(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert len(_pins(lock)) > 5
    assert _unhashed(lock) == []


@pytest.mark.parametrize(("name", "extras"), [("requirements.lock", EXTRAS), ("deploy/requirements.lock", ("postgres",))])
def test_the_lock_holds_what_the_project_asks_for(name: str, extras: tuple[str, ...]) -> None:
    assert _missing(_asked(*extras), (ROOT / name).read_text()) == [], "run make lock"


def test_what_is_required_with_an_extra_is_pinned_with_it() -> None:
    # Without, pip takes the newest release for "coverage[toml]" and refuses it: it has no hash.
    assert "\ncoverage[toml]==" in (ROOT / "requirements.lock").read_text()


def test_the_image_runs_what_was_tested() -> None:
    tested = _pins((ROOT / "requirements.lock").read_text())
    for name in LOCKS[1:]:
        shipped = _pins((ROOT / name).read_text())
        assert {package: versions for package, versions in shipped.items() if not versions <= tested.get(package, set())} == {}


def test_the_image_holds_no_development_tools() -> None:
    shipped = _pins((ROOT / "deploy/requirements.lock").read_text())
    # tiktoken requires "requests" for a download that it is never let do (`gateway.tokens.encodings`).
    assert not {"pytest", "mypy", "litellm", "guardrails-ai", "httpx"} & set(shipped)


def test_control_a_stale_or_unhashed_pin_is_found() -> None:
    digest = "    --hash=sha256:" + "0" * 64 + "\n"
    lock = f"orjson==3.11.0 \\\n{digest}    # via gatehouse\nrich==14.0.0\nhiredis==3.5.0 ; python_version < '3.12' \\\n{digest}"
    assert _unhashed(lock) == ["rich"]
    assert _missing({"": ["orjson>=3.12", "hiredis>=3.2,<4"], "dev": ["rich"]}, lock) == ["gatehouse: orjson>=3.12", "dev: rich"]
