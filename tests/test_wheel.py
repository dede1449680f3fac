"""Smoke tests of the built wheel: installed into an environment of its own, run from another folder, the tree out of sight."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
INGREDIENTS = ("pyproject.toml", "README.md", "LICENSE", "gateway", "guards")
DECOYS = ("tests/test_decoy.py", "prompts/support/v1.prompty", "evals/decoy.py", "deploy/decoy.toml", "var/keys.db", ".ci/run")

CONFIG = """
[upstreams.fake]
kind = "fake"

[routes.chat-default]
upstreams = [{ name = "fake", model = "fake" }]

[tenants.acme]
"""

pytestmark = pytest.mark.xdist_group("wheel")  # built once, by one worker


@dataclass(frozen=True)
class Wheel:
    """The wheel, and an environment with nothing of ours but it; the dependencies are those that are installed here."""

    path: Path
    environment: Path
    home: Path

    @property
    def names(self) -> list[str]:
        with ZipFile(self.path) as archive:
            return archive.namelist()

    @property
    def metadata(self) -> Message:
        with ZipFile(self.path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            return Parser().parsestr(archive.read(name).decode())

    def run(self, *words: str, code: int = 0) -> str:
        """Run a program of the environment in an empty folder; return what it printed."""
        given = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE", "VIRTUAL_ENV"))}
        program = str(self.environment / "bin" / words[0])
        done = subprocess.run(
            [program, *words[1:]],
            cwd=self.home,
            env=given | {"NO_COLOR": "1", "COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == code, f"{words} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def evaluate(self, expression: str, *, imports: str) -> str:
        return self.run("python", "-c", f"import {imports}; print({expression})").strip()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in INGREDIENTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    for name in DECOYS:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (path,) = (folder / "dist").iterdir()

    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    libraries = sysconfig.get_path("purelib", vars={"base": str(environment)})
    (Path(libraries) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["-m", "pip", "--python", str(environment / "bin" / "python"), "install", "-qq", "--no-deps", "--no-index"]
    # Not upgraded but added: pip would take the editable project among the dependencies for an older install.
    subprocess.run([sys.executable, *install, "--ignore-installed", str(path)], check=True, capture_output=True)

    home = folder / "home"
    home.mkdir()
    (home / "gateway.toml").write_text(CONFIG)
    return Wheel(path, environment, home)


def test_one_wheel_serves_every_platform(wheel: Wheel) -> None:
    assert wheel.path.name == f"gatehouse-{wheel.metadata['Version']}-py3-none-any.whl"
    assert wheel.path.stat().st_size < 1_000_000


def test_the_metadata_say_what_it_is(wheel: Wheel) -> None:
    metadata = wheel.metadata
    assert metadata["Name"] == "gatehouse"
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["Version"])
    assert "OpenAI-compatible" in metadata["Summary"]
    assert "make run" in str(metadata.get_payload())


def test_it_is_under_the_apache_licence_and_carries_it(wheel: Wheel) -> None:
    assert wheel.metadata["License-Expression"] == "Apache-2.0"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.names)


def test_it_asks_for_the_supported_versions_of_python(wheel: Wheel) -> None:
    assert wheel.metadata["Requires-Python"] == "<3.14,>=3.11"
    classifiers = wheel.metadata.get_all("Classifier") or []
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= set(classifiers)


def test_the_extras_are_there(wheel: Wheel) -> None:
    assert set(wheel.metadata.get_all("Provides-Extra") or []) == {
        "managed",
        "guardrails",
        "postgres",
        "tokenizers",
        "vllm",
        "dev",
    }


def test_nothing_heavy_is_required_without_its_extra(wheel: Wheel) -> None:
    required = [text for text in wheel.metadata.get_all("Requires-Dist") or [] if "extra ==" not in text]
    names = {re.split(r"[ <>=;\[]", text)[0] for text in required}
    assert "uvicorn" in names
    assert not names & {"vllm", "litellm", "guardrails-ai", "torch", "httpx", "requests", "pytest", "matplotlib"}


def test_it_holds_the_two_packages_and_nothing_else(wheel: Wheel) -> None:
    assert {name.partition("/")[0] for name in wheel.names} == {
        "gateway",
        "guards",
        f"gatehouse-{wheel.metadata['Version']}.dist-info",
    }


def test_no_file_of_the_workshop_is_in_it(wheel: Wheel) -> None:
    decoys = {name.rpartition("/")[2] for name in DECOYS}
    found = [
        name for name in wheel.names if name.rpartition("/")[2] in decoys or re.search(r"(^|/)\.|\.pyc$|conftest|test_", name)
    ]
    assert found == []


def test_type_checkers_see_its_types(wheel: Wheel) -> None:
    assert {"gateway/py.typed", "guards/py.typed"} <= set(wheel.names)


def test_the_migrations_are_inside(wheel: Wheel) -> None:
    assert "gateway/store/migrations/env.py" in wheel.names
    assert any(re.fullmatch(r"gateway/store/migrations/versions/v\d+_\w+\.py", name) for name in wheel.names)


def test_the_command_is_an_entry_point(wheel: Wheel) -> None:
    found = wheel.evaluate("m.entry_points(group='console_scripts')['gatehouse'].value", imports="importlib.metadata as m")
    assert found == "gateway.cli.main:main"


def test_control_what_runs_comes_from_the_wheel(wheel: Wheel) -> None:
    assert wheel.evaluate("gateway.__file__", imports="gateway").startswith(str(wheel.environment))
    assert str(ROOT / "gateway") not in wheel.evaluate("sys.path", imports="sys")


def test_the_guards_can_be_imported(wheel: Wheel) -> None:
    assert wheel.evaluate("guards.__file__", imports="guards").startswith(str(wheel.environment))


def test_every_module_can_be_imported(wheel: Wheel) -> None:
    modules = [name.removesuffix(".py").replace("/", ".") for name in wheel.names if name.endswith(".py")]
    skipped = re.compile(r"\.migrations\.|\.__main__$")  # run by Alembic, run as programs
    importable = [name.removesuffix(".__init__") for name in modules if not skipped.search(name)]
    assert len(importable) > 30
    wheel.run("python", "-W", "error", "-W", "ignore:'click:DeprecationWarning:typer", "-c", f"import {', '.join(importable)}")


def test_the_gateway_starts_without_the_extras(wheel: Wheel) -> None:
    heavy = "{'litellm', 'guardrails', 'httpx', 'requests', 'tiktoken', 'numpy'} & set(sys.modules)"
    assert wheel.evaluate(heavy, imports="sys, gateway.app") == "set()"


def test_help_names_the_commands(wheel: Wheel) -> None:
    text = wheel.run("gatehouse", "--help")
    assert {"serve", "demo", "check", "keys"} <= set(re.findall(r"\w+", text))


def test_help_of_keys_names_its_commands(wheel: Wheel) -> None:
    text = wheel.run("gatehouse", "keys", "--help")
    assert {"create", "list", "revoke"} <= set(re.findall(r"\w+", text))


def test_wrong_use_exits_with_2(wheel: Wheel) -> None:
    assert "No such command" in wheel.run("gatehouse", "sevre", code=2)


def test_check_takes_a_right_file_and_names_what_is_wrong_in_another(wheel: Wheel) -> None:
    wheel.run("gatehouse", "check")
    (wheel.home / "wrong.toml").write_text(CONFIG.replace("[tenants.acme]", "[server]\nprot = 80\n"))
    found = wheel.run("gatehouse", "check", "-c", "wrong.toml", code=2)
    assert "wrong.toml" in found
    assert "prot" in found
    assert "port" in found


def test_a_key_is_made_shown_once_and_listed(wheel: Wheel) -> None:
    made = wheel.run("gatehouse", "keys", "create", "--tenant", "acme")
    (key,) = re.findall(r"\bgth_[a-z2-7]{12}_[0-9A-Za-z]{49}\b", made)
    listed = wheel.run("gatehouse", "keys", "list")
    assert "acme" in listed
    assert key not in listed


def test_the_demo_shows_every_exchange_and_ends_well(wheel: Wheel) -> None:
    shown = wheel.run("gatehouse", "demo", "--once", "--port", "0")
    assert "curl" in shown
