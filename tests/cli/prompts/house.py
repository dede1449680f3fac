"""A deployment in a folder of the test's own: gateway.toml, prompts as people write them, an empty store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from click.testing import Result
from typer.testing import CliRunner

from gateway.audit.search.archive import Archive
from gateway.audit.search.filters import Filters
from gateway.audit.search.rights import View
from gateway.cli.prompts.app import app
from tests.prompt.shelf import TRIAGE, prompty, put, seal

TOML = """
[upstreams.fake]
kind = "fake"

[routes.chat]
upstreams = [{ name = "fake", model = "fake" }]
context_window = 4096

[routes.large]
upstreams = [{ name = "fake", model = "fake" }]

[tenants.acme]
"""
BODIES = {
    "v1": "Sort {{ticket}}",
    "v2": "Sort and date {{ticket}}",
    "v3": "Sort, date and sign {{ticket}}",
    "draft": "Sort all {{ticket}}",
}


class House:
    """Commands over a deployment with the prompt support/triage in three versions and a draft."""

    def __init__(self, folder: Path, *, toml: str = TOML, labels: str = "production: v1\n") -> None:
        self.folder = folder
        self.config = folder / "gateway.toml"
        self.config.write_text(toml)
        self.prompts = folder / "prompts"
        for name, body in BODIES.items():
            put(self.prompts, f"{TRIAGE}/{name}.prompty", prompty(body))
        if labels:
            put(self.prompts, f"{TRIAGE}/labels.yaml", labels)
        seal(self.prompts)

    @property
    def store(self) -> Path:
        """The store's folder."""
        return self.folder / "var"

    def call(self, *arguments: str, env: dict[str, str] | None = None) -> Result:
        """Run a command."""
        return CliRunner().invoke(app, [*arguments, "-c", str(self.config)], env=env)

    def out(self, *arguments: str) -> str:
        """Return what a command prints that does what it should."""
        result = self.call(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def data(self, *arguments: str, code: int = 0) -> Any:
        """Return what a command gives programs."""
        result = self.call(*arguments, "--json")
        assert result.exit_code == code, result.output
        assert result.stdout.count("\n") == 1
        return msgspec.json.decode(result.stdout)

    def fails(self, *arguments: str, code: int = 2, env: dict[str, str] | None = None) -> str:
        """Return the one line on stderr of a command that fails and prints nothing else."""
        result = self.call(*arguments, env=env)
        assert (result.exit_code, result.stdout) == (code, ""), result.output
        assert result.stderr.count("\n") == 1, result.stderr
        assert "Traceback" not in result.stderr
        return result.stderr.strip()

    def entered(self) -> list[dict[str, Any]]:
        """Return the moves of labels that the log tells of, the oldest first."""
        data = Archive(self.store).search(Filters("label"), View(None, "", "operator")).data
        return [{**each.fields, "log": each.log} for each in reversed(data) if not hasattr(each, "tenant")]
