"""The documents say what is so: commands, settings, error codes, headers, metrics, log events and links."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest
import typer

from gateway.cli.main import app
from gateway.settings.load import problems
from gateway.settings.tree import Settings
from gateway.telemetry.events import Event
from gateway.telemetry.metrics import Metrics
from tests import gates

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/applications.md",
    "docs/operators.md",
    "docs/auditors.md",
    "docs/prompt-engineers.md",
)
OPERATORS = (ROOT / "docs" / "operators.md").read_text()
APPLICATIONS = (ROOT / "docs" / "applications.md").read_text()


def _code(page: str) -> str:
    """Return what stands in code spans and fences of a page."""
    fences = re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*fences, *spans])


def _make_targets(page: str) -> set[str]:
    return set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", _code(page)))


def _commands(page: str) -> set[str]:
    """Return the commands `gatehouse …` that a page names, as the words before the first option or name of a thing."""
    found = re.findall(r"(?<![\w/-])(?:\.venv/bin/)?gatehouse((?: [a-z]+(?![\w/@.-]))+)", _code(page))
    return {words.strip() for words in found}


def _known_commands(group: click.Command, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in getattr(group, "commands", {}).items():
        yield prefix + name, command
        yield from _known_commands(command, f"{prefix}{name} ")


def _first_cells(page: str, heading: str) -> set[str]:
    """Return the code spans in the first cells of the table under a heading."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {span for row in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE) for span in re.findall(r"`([^`]+)`", row)}


COMMANDS = dict(_known_commands(typer.main.get_command(app)))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    assert _make_targets((ROOT / page).read_text()) <= TARGETS


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_exists(page: str) -> None:
    assert _commands((ROOT / page).read_text()) <= set(COMMANDS)


def test_every_option_in_the_table_of_commands_exists() -> None:
    for words, rest in re.findall(r"^\| `gatehouse ([a-z ]+)` \| (.*) \|$", OPERATORS, re.MULTILINE):
        known = {option for parameter in COMMANDS[words].params for option in parameter.opts}
        assert set(re.findall(r"`(--[a-z]+)`", rest)) <= known, words


def test_every_command_and_target_is_told_of() -> None:
    leaves = {name for name, command in COMMANDS.items() if not getattr(command, "commands", None)}
    assert leaves == {name.removeprefix("gatehouse ") for name in _first_cells(OPERATORS, "Commands")}
    told = set().union(*(_make_targets((ROOT / page).read_text()) for page in PAGES))
    public = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert public - {"help", "lint"} <= told


def test_control_an_unknown_command_or_target_is_found() -> None:
    page = (
        "Run `make tset`, or:\n\n```sh\n.venv/bin/gatehouse sevre -c x\n```\n\nand `gatehouse keys mint --tenant a`; make do.\n"
        "`gatehouse prompts pubish support/triage production`\n"
    )
    assert _make_targets(page) == {"tset"}
    assert _commands(page) == {"sevre", "keys mint", "prompts pubish"}


def _settings_table(page: str) -> dict[str, str]:
    """Return the default, as TOML, that a page's table gives for each setting; nothing where it gives none."""
    rows = re.findall(r"^\| `([a-z_]+\.[a-zA-Z_.\[\]]+)` \| ?(?:`([^`]*)`)? ?\| .+ \|$", page, re.MULTILINE)
    return {path.replace("NAME", "*"): default for path, default in rows}


def _filled(defaults: dict[str, str]) -> Settings:
    """Return the smallest settings that have every section, with these defaults written out."""
    smallest = {"upstreams.*.kind": '"fake"', "routes.*.upstreams": '[{ name = "a", model = "m" }]', "tenants.*.apps.*": "{}"}
    if defaults:
        smallest.pop("tenants.*.apps.*")
    lines = (smallest | {path: text for path, text in defaults.items() if text and "[]" not in path}).items()
    return Settings.model_validate(tomllib.loads("".join(f"{path.replace('*', 'a')} = {text}\n" for path, text in lines)))


def test_every_setting_is_in_the_operators_table_with_its_default() -> None:
    defaults = _settings_table(OPERATORS)
    assert set(defaults) == gates.setting_paths(Settings)
    assert _filled(defaults) == _filled({})


def test_control_a_wrong_default_is_found() -> None:
    defaults = _settings_table("| `server.port` | `80` | where |\n| `tenants.NAME.apps.NAME.routes` | | what it may use |\n")
    assert defaults == {"server.port": "80", "tenants.*.apps.*.routes": ""}
    assert _filled(defaults) != _filled({})


def test_every_error_code_has_its_advice() -> None:
    assert _first_cells(APPLICATIONS, "Errors") == set(gates.documented_codes((ROOT / "README.md").read_text()))


def test_every_header_of_ours_is_told_of() -> None:
    source = "".join(path.read_text() for path in (ROOT / "gateway" / "api").rglob("*.py"))
    sent = set(re.findall(r'b"(x-gatehouse-[a-z-]+)"', source))
    assert sent
    assert sent == {name for name in _first_cells(APPLICATIONS, "Response headers") if name.startswith("x-gatehouse-")}


def test_every_metric_is_told_of() -> None:
    names = set(re.findall(r"^# TYPE (\S+)", Metrics().render().decode(), re.MULTILINE))
    assert names == {name for name in _first_cells(OPERATORS, "Metrics") if name.startswith(("gatehouse_", "gen_ai_"))}


def test_every_log_event_is_told_of() -> None:
    assert set(get_args(Event)) == _first_cells(OPERATORS, "Log")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_can_be_read(page: str) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL):
        ast.parse(block)


@pytest.mark.parametrize("file", ["gateway.toml", "deploy/compose.toml", "deploy/gateway.example.toml"])
def test_the_configurations_that_we_ship_are_right(file: str) -> None:
    assert problems(ROOT / file, {}) == []


def test_the_image_runs_as_somebody_who_is_not_root() -> None:
    users = re.findall(r"^USER (\S+)", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", users[-1])


def test_the_changelog_has_a_place_for_what_comes() -> None:
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text()
