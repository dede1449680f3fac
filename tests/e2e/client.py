"""Running the client scripts of `clients/`, which hold the checks that every SDK must pass."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.door import Door
from tests.e2e.process import environment
from tests.e2e.sdk import CLIENTS, Node
from tests.e2e.settings import MODEL

TIMEOUT = 120.0
CHECKS_WITH_A_FAKE = 20
CHECKS_WITH_A_VLLM = 14
"""How many checks each script has: none may fall away unseen."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a script ended, and what it wrote."""

    code: int
    lines: list[str]

    @property
    def held(self) -> list[str]:
        """The names of the checks that held."""
        return [line.removeprefix("ok ") for line in self.lines if line.startswith("ok ")]

    @property
    def failed(self) -> list[str]:
        """The names of the checks that failed."""
        return [line.removeprefix("FAILED ").split(":")[0] for line in self.lines if line.startswith("FAILED ")]

    def expect(self, checks: int) -> None:
        """Fail with everything that was written unless so many checks held and none failed."""
        assert (self.code, len(self.held), self.failed) == (0, checks, []), "\n".join(self.lines)


def run_python(python: Path, door: Door, *checks: str, **variables: str) -> Outcome:
    """Run the Python script with an interpreter that has the SDK."""
    return _run([str(python), str(CLIENTS / "openai_python.py"), *checks], door, variables)


def run_node(node: Node, door: Door, folder: Path, *checks: str, **variables: str) -> Outcome:
    """Run the Node script from a folder of its own beside the installed packages: that is where Node looks for them."""
    script = folder / "openai_node.mjs"
    shutil.copy(CLIENTS / script.name, script)
    (folder / "node_modules").symlink_to(node.modules, target_is_directory=True)
    return _run([str(node.program), str(script), *checks], door, variables)


def _run(command: list[str], door: Door, variables: dict[str, str]) -> Outcome:
    env = environment(BASE_URL=door.base_url, API_KEY=door.key, MODEL=MODEL, **variables)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return Outcome(done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()])
