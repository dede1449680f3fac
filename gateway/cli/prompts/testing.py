"""`gatehouse prompts test`: a version's cases against a running gateway, or against one in this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from gateway.cli.exits import FAILED, exits
from gateway.cli.prompts.opening import Opened, current_labels, open_prompts
from gateway.cli.prompts.printing import print_json, print_table
from gateway.cli.prompts.running import Judged, Ran, Target, run_case
from gateway.cli.prompts.sending import OverHttp, Sender, gateway_here, living
from gateway.errors import SettingsError
from gateway.prompt.case.cases import FILE, Case, read_cases
from gateway.prompt.file.problem import PromptInvalid
from gateway.settings.keys import advice

KEY = "GATEHOUSE_API_KEY"


def try_cases(
    text: str, config: Path, *, route: str | None, names: Sequence[str], url: str | None, tenant: str | None, as_json: bool
) -> None:
    """Run the cases of the version that `text` means, or those that are named, and print how they went."""
    with exits():
        opened = open_prompts(config)
        version = opened.chosen(text, lambda: current_labels(opened.settings))
        cases = cases_of(opened, version.id, names=names)
        target = Target(version.id, version.name, route)
        if url is not None:
            ran = asyncio.run(_run(cases, target, OverHttp(url, _key())))
        else:
            with gateway_here(opened.settings, payer(opened, tenant)) as (application, sender):
                ran = asyncio.run(_run_living(cases, target, sender, application=application))
    ok = all(each.ok for each in ran)
    if as_json:
        print_json({"ok": ok, "prompt": version.reference, "cases": [_told(each) for each in ran]})
    else:
        _print(ran)
    if not ok:
        raise typer.Exit(FAILED)


def cases_of(opened: Opened, prompt: str, *, names: Sequence[str] = ()) -> tuple[Case, ...]:
    """Return a prompt's cases, or those that are named; raises `SettingsError`, or `PromptInvalid` for a file that is wrong."""
    file = f"{prompt}/{FILE}"
    data = opened.read(file)
    if data is None:
        raise SettingsError(f"{opened.folder / file}: there is none: write the prompt's cases there")
    cases, problems = read_cases(file, data)
    if any(problem.severity == "error" for problem in problems):
        raise PromptInvalid(problems)
    known = {case.name: case for case in cases}
    for name in names:
        if name not in known:
            raise SettingsError(f"--case: {prompt} has no case {name!r}: {advice(name, known)}")
    if not cases:
        raise SettingsError(f"{opened.folder / file}: holds no case")
    return tuple(known[name] for name in names) or cases


def payer(opened: Opened, tenant: str | None) -> str:
    """Return the tenant that pays: the one that was named, else the only one."""
    tenants = opened.settings.tenants
    if tenant is None and len(tenants) == 1:
        return next(iter(tenants))
    if tenant is None:
        raise SettingsError(f"--tenant: name the tenant that pays for the answers: {advice('', tenants)}")
    if tenant not in tenants:
        raise SettingsError(f"--tenant: there is no tenant {tenant!r}: {advice(tenant, tenants)}")
    return tenant


def _key() -> str:
    key = os.environ.get(KEY)
    if not key:
        raise SettingsError(f"--url: put an API key of that gateway into the environment as {KEY}")
    return key


async def _run(cases: Sequence[Case], target: Target, sender: Sender) -> list[Ran]:
    return [await run_case(case, target, sender) for case in cases]


async def _run_living(cases: Sequence[Case], target: Target, sender: Sender, *, application: Any) -> list[Ran]:
    async with living(application):
        return await _run(cases, target, sender)


def _told(ran: Ran) -> dict[str, Any]:
    return {
        "case": ran.case,
        "ok": ran.ok,
        "error": ran.error or None,
        "assertions": [{"assertion": each.shown, "ok": not each.wrong, "detail": each.wrong or None} for each in ran.judged],
        "input_tokens": ran.input_tokens,
        "output_tokens": ran.output_tokens,
        "milliseconds": round(ran.milliseconds),
    }


def _print(ran: Sequence[Ran]) -> None:
    rows = [("CASE", "ASSERTION", "RESULT", "TOKENS", "MS", "WHY")]
    for each in ran:
        tokens = "-" if each.output_tokens is None else f"{each.input_tokens}+{each.output_tokens}"
        judged = each.judged or (Judged("-", each.error),)
        rows += [
            (each.case, one.shown, "FAIL" if one.wrong else "ok", tokens, f"{each.milliseconds:.0f}", one.wrong) for one in judged
        ]
    print_table(rows)
    good = sum(each.ok for each in ran)
    typer.echo(f"{good} of {len(ran)} cases hold.", err=good < len(ran))
