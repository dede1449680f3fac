"""docs/prompt-engineers.md says what is so: keys of the file, words of a contract, the template's language, cases, limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from gateway.cli.main import app
from gateway.prompt.case.assertion import KINDS as EXPECTATIONS
from gateway.prompt.case.cases import Case, read_cases
from gateway.prompt.file import keywords, properties, reading, terms
from gateway.prompt.file.limits import LIMITS as FILE
from gateway.prompt.file.options import NAMES
from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.file.source import read_source
from gateway.prompt.library.folder import LIMITS as FOLDER
from gateway.prompt.library.version import Version, compile_version
from gateway.prompt.template.filters import FILTERS, METHODS, TESTS
from gateway.prompt.template.program import STATEMENTS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "prompt-engineers.md").read_text()
README = (ROOT / "README.md").read_text()
EXAMPLE = "support/reply"


def _section(heading: str) -> str:
    found = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert found
    return found


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of every row under a heading; a header's first cell holds no code."""
    rows = re.findall(r"^\| (.+) ?\|$", _section(heading), re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows]


def _spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def _first_spans(heading: str) -> set[str]:
    return {span for row in _rows(heading) for span in _spans(row[0])}


def _fence(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def _example(text: str) -> Version:
    prompts = ROOT / "prompts"
    source = read_source(f"{EXAMPLE}/draft.prompty", text.encode(), fragment=lambda path: (prompts / path).read_bytes())
    version = compile_version(EXAMPLE, "draft", source)
    assert (*source.warnings, *version.template.warnings) == ()
    return version


def _example_cases() -> tuple[Case, ...]:
    cases, problems = read_cases(f"{EXAMPLE}/cases.yaml", _fence("yaml").encode())
    assert problems == ()
    return cases


def test_every_key_of_the_file_is_told_of() -> None:
    told = _first_spans("The file")
    assert {key for key in told if "." not in key} == set(reading._ROOT)
    assert {key.removeprefix("model.") for key in told if "." in key} == set(reading._MODEL)


def test_every_option_is_told_of() -> None:
    row = next(cells for cells in _rows("The file") if cells[0] == "`model.options`")
    assert set(_spans(row[1])) == {*NAMES, "additionalProperties"}


def test_every_key_of_ours_is_told_of() -> None:
    ours = {
        *terms._TERMS,
        *(f"budget.{key}" for key in terms._BUDGET),
        *(f"budget.trim[].{key}" for key in terms._TRIM),
    }
    assert _first_spans("Ours, under `metadata.gateway`") == ours


def test_every_kind_of_input_has_its_words() -> None:
    told: dict[str, set[str]] = {}
    for cells in _rows("Inputs and the contract"):
        for kind in _spans(cells[0]):
            told[kind] = set(_spans(cells[1])) - {"items", "properties"}
    assert told == {kind: set(checks) for kind, checks in keywords._OF_KIND.items()}
    assert set(told) == set(properties.KINDS)
    first = _section("Inputs and the contract").partition("\n\n")[0]
    assert set(properties._PROPERTY) <= set(_spans(first))


def test_every_word_of_the_template_is_told_of() -> None:
    told = {cells[0]: _spans(cells[1]) for cells in _rows("Text, roles and threads") if len(cells) == 2}
    assert told["statements"] == STATEMENTS.split(", ")
    assert told["filters"] == sorted(FILTERS)
    assert told["tests"] == sorted(TESTS)
    assert told["methods"] == sorted(METHODS)


def test_every_expectation_is_told_of() -> None:
    assert _first_spans("Cases") == set(EXPECTATIONS)


def test_the_limits_are_what_they_are() -> None:
    told = dict(cells for cells in _rows("Limits") if len(cells) == 2)
    assert told["a prompt's file, and a fragment"] == f"{min(FOLDER.file_bytes, FILE.file_bytes) // 1024} KiB"
    values = f"{FILE.front_values:,} values, {FILE.front_depth} levels, {FILE.aliases} aliases"
    assert told["front matter"] == f"{FILE.front_bytes // 1024} KiB, {values}"
    assert told["fragments inside each other"] == f"{FILE.include_depth} deep, {FILE.includes} in one version"
    assert told["inputs, properties of an object"] == str(FILE.inputs)
    assert told["values under `enumValues`"] == f"{FILE.values} of {FILE.value_chars:,} characters"
    assert told["files and folders altogether"] == f"{FOLDER.files:,}"


def test_the_example_is_a_prompt_without_problems_that_fits_its_cases() -> None:
    version = _example(_fence("prompty"))
    for case in _example_cases():
        assert len(version.template.render(version.contract.admit(case.variables).values)) == 2


def test_control_an_example_with_a_problem_is_found() -> None:
    with pytest.raises(PromptInvalid, match="budgets"):
        _example(_fence("prompty").replace("    budget:", "    budgets:"))


@pytest.mark.parametrize("page", [PAGE, README], ids=["prompt-engineers", "README"])
def test_every_option_of_a_command_exists(page: str) -> None:
    commands = typer.main.get_command(app).commands["prompts"].commands  # type: ignore[attr-defined]  # a group of groups
    found = re.findall(r"gatehouse prompts ([a-z]+)([^\n`]*)", page)
    assert found
    for name, rest in found:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z]+", rest.partition("#")[0])) <= known, name


def test_every_command_is_shown() -> None:
    commands = typer.main.get_command(app).commands["prompts"].commands  # type: ignore[attr-defined]  # as above
    assert set(re.findall(r"gatehouse prompts ([a-z]+)", PAGE)) == set(commands)


def test_every_shipped_prompt_that_a_page_names_is_there() -> None:
    named = set(re.findall(r"\b((?:support|text|answer|extraction)/[a-z]+)@", PAGE + README)) - {EXAMPLE}
    assert named
    assert [prompt for prompt in named if not (ROOT / "prompts" / prompt / "v2.prompty").is_file()] == []
