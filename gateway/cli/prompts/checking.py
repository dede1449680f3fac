"""`gatehouse prompts check`: everything that is wrong with the prompts, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import typer

from gateway.audit.search.prose import printable
from gateway.cli.exits import FAILED, exits
from gateway.cli.prompts.opening import Opened, open_prompts
from gateway.cli.prompts.printing import print_json, print_table
from gateway.prompt.case.cases import FILE, Case, read_cases
from gateway.prompt.contract.contract import VariablesInvalid
from gateway.prompt.file.problem import Problem
from gateway.prompt.library.check import check as check_library
from gateway.prompt.library.version import Version


class CheckedVersion(msgspec.Struct):
    """One version of what `--json` prints; `most_tokens` is null where nothing bounds its messages."""

    id: str
    version: str
    route: str | None
    contract: int
    most_tokens: int | None


class Checked(msgspec.Struct):
    """What `--json` prints: problems in the order of their files, and every version that can be used."""

    ok: bool
    problems: list[Problem]
    versions: list[CheckedVersion]


def check(config: Path, *, as_json: bool) -> None:
    """Check every prompt, and print what was found."""
    with exits():
        opened = open_prompts(config)
        checked = check_prompts(opened)
    if as_json:
        print_json(checked)
    else:
        _print(checked, opened)
    if not checked.ok:
        raise typer.Exit(FAILED)


def check_prompts(opened: Opened) -> Checked:
    """Check files and cases, contracts from version to version, routes and what must fit into them; the store is not asked."""
    library = opened.library
    windows = {name: route.context_window for name, route in opened.settings.routes.items()}
    found = check_library(library, windows=windows)
    problems = {*found.problems}
    for prompt in library.ids():
        problems.update(_cases(opened, prompt, library.versions(prompt)[-1]))
    most = {size.version: size.tokens for size in found.sizes}
    versions = [
        CheckedVersion(each.id, each.name, each.route, each.contract.number, most[each.reference])
        for prompt in library.ids()
        for each in library.versions(prompt)
    ]
    return Checked(all(each.severity == "warning" for each in problems), sorted(problems), versions)


def _cases(opened: Opened, prompt: str, latest: Version) -> Iterator[Problem]:
    """Yield what is wrong with a prompt's cases: they are held against the draft, or else the latest version."""
    file = f"{prompt}/{FILE}"
    data = opened.read(file)
    if data is None:
        yield Problem(file, 0, "is not there: nothing tells whether a version is good", "warning")
        return
    cases, problems = read_cases(file, data)
    yield from problems
    for case in cases:
        if wrong := _misfit(case, latest):
            yield Problem(file, case.line, f"the case {case.name!r} does not fit {latest.reference}: {wrong}", "warning")


def _misfit(case: Case, version: Version) -> str:
    variables = dict(case.variables)
    if case.messages is not None:
        if version.messages is None:
            return "it takes no messages of the caller's"
        variables[version.messages] = case.messages
    try:
        admitted = version.contract.admit(variables)
    except VariablesInvalid as error:
        return error.message
    return ", ".join(f"{drift.input or 'an undeclared name'} ({drift.kind})" for drift in admitted.drift)


def _print(checked: Checked, opened: Opened) -> None:
    for problem in checked.problems:
        typer.echo(printable(f"{problem.severity}: {opened.folder / problem.sentence()}"))
    if checked.versions:
        rows = [(f"{each.id}@{each.version}", each.route or "-", str(each.contract), _most(each)) for each in checked.versions]
        print_table([("VERSION", "ROUTE", "CONTRACT", "MOST TOKENS"), *rows])
    errors = sum(problem.severity == "error" for problem in checked.problems)
    warnings = len(checked.problems) - errors
    typer.echo(f"{len(checked.versions)} versions can be used; {errors} errors, {warnings} warnings.", err=not checked.ok)


def _most(version: CheckedVersion) -> str:
    return "no bound" if version.most_tokens is None else str(version.most_tokens)
