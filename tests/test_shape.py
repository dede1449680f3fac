"""The house gates over this tree, and for each a control: a sample that breaks the rule and must be found."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from gateway import errors
from gateway.settings.tree import Settings
from tests import gates

ROOT = Path(__file__).resolve().parents[1]
KIT = "tests/e2e/vllm/"  # the kit that serves the real vLLM is kept as it came

BROAD_EXCEPTS_ALLOWED = {
    "gateway/api/dispatch.py": "the edge to the client: a fault of ours is one answer of 500, and the connection lives on",
    "gateway/audit/queue.py": "an entry that cannot be made: indices must have no hole, and the others of its batch no harm",
    "gateway/prompt/library/loading.py": "a file that makes a parser fail in whatever way must not take the other prompts down",
    "gateway/api/ops.py": "readiness: whatever keeps a part from answering, it is not ready",
}
OPTIONS_ARE_PARAMETERS = "gateway/cli/"  # Typer makes each option of a command from a parameter
FAKE = "gateway/upstream/fake/"  # its error codes are an upstream's, not ours
ALEMBIC = "gateway/store/migrations/"  # Alembic runs these; tests/store/test_migrate.py runs Alembic

Gate = Callable[[str], list[str]]

SOURCE_GATES: list[Gate] = [
    gates.file_length,
    gates.function_lengths,
    gates.parameter_counts,
    gates.loose_tasks,
    gates.sleeps,
    gates.broad_excepts,
    gates.weak_names,
]

VIOLATIONS: list[tuple[Gate, str]] = [
    (gates.file_length, "a = 1\n" * 401),
    (gates.function_lengths, "def f():\n    '''A\n    promise.'''\n" + "    a = 1\n" * 50),
    (gates.function_lengths, "class C:\n    async def f(self):\n" + "        a = 1\n" * 50),
    (gates.parameter_counts, "def f(a, b, /, c, *, d, e, f, g, h): ..."),
    (gates.parameter_counts, "class C:\n    def f(self, a, b, c, *, d, e, f, g, h): ..."),
    (gates.loose_tasks, "import asyncio\nasyncio.create_task(f())"),
    (gates.loose_tasks, "from asyncio import create_task\ncreate_task(f())"),
    (gates.loose_tasks, "asyncio.get_running_loop().create_task(f())"),
    (gates.loose_tasks, "self._loop.create_task(f())"),
    (gates.loose_tasks, "asyncio.ensure_future(f())"),
    (gates.sleeps, "import time\ntime.sleep(1)"),
    (gates.sleeps, "from time import sleep\nsleep(1)"),
    (gates.broad_excepts, "try:\n    f()\nexcept Exception:\n    pass"),
    (gates.broad_excepts, "try:\n    f()\nexcept:\n    pass"),
    (gates.broad_excepts, "try:\n    f()\nexcept (ValueError, BaseException):\n    raise TypeError"),
    (gates.weak_names, "class KeyManager: ..."),
    (gates.weak_names, "class KeyUtils: ..."),
    (gates.registry_addresses, "https://" + "pypi" + ".org/simple"),
    (gates.registry_addresses, '"resolved": "https://registry.' + "npmjs" + '.org/openai"'),
]

FINE: list[tuple[Gate, str]] = [
    (gates.file_length, "a = 1\n" * 400),
    (gates.function_lengths, "def f():\n    '''" + "A\n" * 20 + "    '''\n" + "    a = 1\n" * 49),
    (gates.parameter_counts, "class C:\n    def f(self, a, b, *, c, d, e, f, g): ..."),
    (gates.loose_tasks, "group.create_task(f())"),
    (gates.sleeps, "import asyncio\nasyncio.sleep(0)\nsleep(1)"),
    (gates.broad_excepts, "try:\n    f()\nexcept BaseException:\n    close()\n    raise"),
    (gates.broad_excepts, "try:\n    f()\nexcept (ValueError, OSError):\n    pass"),
    (gates.weak_names, "class Route: ..."),
]


def _tree(*folders: str, suffix: str = ".py") -> Iterator[str]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob(f"*{suffix}")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(KIT) and "node_modules" not in path.parts:
                yield name


def _exempt(gate: Gate, name: str) -> bool:
    if gate is gates.broad_excepts:
        return name in BROAD_EXCEPTS_ALLOWED
    return gate is gates.parameter_counts and name.startswith(OPTIONS_ARE_PARAMETERS)


@pytest.mark.parametrize("gate", SOURCE_GATES, ids=lambda gate: gate.__name__)
def test_the_tree_keeps_the_rule(gate: Gate) -> None:
    found = [
        f"{name}: {finding}"
        for name in _tree("gateway", "guards", "tests")
        if not _exempt(gate, name)
        for finding in gate((ROOT / name).read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("gate", "sample"), VIOLATIONS)
def test_control_the_gate_finds_a_violation(gate: Gate, sample: str) -> None:
    assert len(gate(sample)) == 1


@pytest.mark.parametrize(("gate", "sample"), FINE)
def test_the_gate_lets_good_code_pass(gate: Gate, sample: str) -> None:
    assert gate(sample) == []


def test_every_exemption_is_still_needed() -> None:
    assert [name for name in BROAD_EXCEPTS_ALLOWED if not gates.broad_excepts((ROOT / name).read_text())] == []


def test_every_module_has_its_test_file() -> None:
    modules = [name for name in _tree("gateway", "guards") if not name.endswith("__.py") and not name.startswith(ALEMBIC)]
    found = gates.missing_tests(modules, list(_tree("tests")))
    assert not found, "\n".join(found)


def test_control_a_module_without_a_test_file_is_found() -> None:
    modules = ["gateway/api/chat.py", "gateway/errors.py", "guards/pii.py", "guards/secrets.py"]
    tests = ["tests/api/test_chat.py", "tests/api/test_errors.py", "tests/guards/test_pii.py"]
    assert gates.missing_tests(modules, tests) == [
        "gateway/errors.py has no tests/test_errors.py",
        "guards/secrets.py has no tests/guards/test_secrets.py",
    ]


def test_no_file_names_a_package_registry() -> None:
    found = [f"{name}: {finding}" for name, text in _texts() for finding in gates.registry_addresses(text)]
    assert not found, "\n".join(found)


def _texts() -> Iterator[tuple[str, str]]:
    made = {".git", "__pycache__", "var", "dist", "node_modules"}
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder)
        folders[:] = [
            name for name in folders if name not in made and not name.startswith(".venv") and not name.endswith("_cache")
        ]
        for name in names:
            try:
                yield str((here / name).relative_to(ROOT)), (here / name).read_text()
            except UnicodeDecodeError:
                continue  # no text


def test_every_error_code_stands_in_the_readme_with_its_status_and_type() -> None:
    found = gates.differing_codes(_raised(), gates.documented_codes((ROOT / "README.md").read_text()))
    assert not found, "\n".join(found)


def _raised() -> dict[str, set[tuple[int, str]]]:
    found: dict[str, set[tuple[int, str]]] = {}
    for name in _tree("gateway"):
        if name.startswith(FAKE):
            continue
        for raised in gates.raised_codes((ROOT / name).read_text()):
            carrier = getattr(errors, raised.carrier.rpartition(".")[2], None) or getattr(errors, raised.base, None)
            assert carrier is not None, f"{name}: {raised.carrier}(code={raised.code!r}) is no class of gateway.errors"
            found.setdefault(raised.code, set()).add((carrier.status, carrier.type))
    return found


def test_control_an_error_code_is_found_wherever_it_can_differ() -> None:
    source = """
class Gone(ClientError):
    default_code: ClassVar[str] = "gone"

class Late(ClientError):
    default_code = "late"

def f():
    raise errors.Gone("It went.", code="long_gone")
"""
    assert gates.raised_codes(source) == {
        gates.RaisedCode("gone", "Gone", "ClientError"),
        gates.RaisedCode("late", "Late", "ClientError"),
        gates.RaisedCode("long_gone", "errors.Gone"),
    }
    page = "| status | type | code | when |\n| --- | --- | --- | --- |\n| 410 | `gone_error` | `gone`, `long_gone` | it went |\n"
    documented = gates.documented_codes(page)
    assert documented == {"gone": {(410, "gone_error")}, "long_gone": {(410, "gone_error")}}
    raised = {"gone": {(404, "gone_error")}, "late": {(504, "timeout_error")}}
    assert [line.partition(":")[0] for line in gates.differing_codes(raised, documented)] == ["gone", "late", "long_gone"]


EXAMPLE = (ROOT / "deploy" / "gateway.example.toml").read_text()


def test_every_setting_stands_in_the_example_with_a_comment() -> None:
    found = gates.differing_keys(gates.setting_paths(Settings), gates.example_keys(EXAMPLE))
    assert not found, "\n".join(found)


def test_what_is_commented_out_in_the_example_shows_the_default() -> None:
    active, all_of_it = (Settings.model_validate(tomllib.loads(text)) for text in (EXAMPLE, gates.uncommented(EXAMPLE)))
    assert active == all_of_it


def test_control_a_setting_that_the_example_lacks_is_found() -> None:
    class Leg(BaseModel):
        name: str
        weight: int = 1

    class Route(BaseModel):
        legs: tuple[Leg, ...] = Field(min_length=1)
        timeout: float = 1.0
        hidden: bool = False

    class Sample(BaseModel):
        routes: dict[str, Route]
        node: str = ""
        port: int | None = None

    example = """
# Who we are.
node = "a"
port = 1

[routes.fast]
legs = [{ name = "a" }]   # who answers
# timeout = 2.0
# old = 1                  # was once
"""
    paths = gates.setting_paths(Sample)
    assert paths == {"node", "port", "routes.*.legs[].name", "routes.*.legs[].weight", "routes.*.timeout", "routes.*.hidden"}
    assert gates.differing_keys(paths, gates.example_keys(example)) == [
        "routes.*.hidden is not in the example",
        "routes.*.legs[].weight is not in the example",
        "routes.*.old is no setting",
        "port has no comment",
        "routes.*.timeout has no comment",
    ]
    assert tomllib.loads(gates.uncommented(example))["routes"]["fast"] == {"legs": [{"name": "a"}], "timeout": 2.0, "old": 1}
