"""The prompts that we ship: they can be used as they lie there, and the answers of the fake model are what their cases expect."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gateway.cli.prompts.running import Target
from gateway.errors import InvalidRequest
from gateway.exchange.prompt import PromptUse
from gateway.http.contract import HttpRequest
from gateway.prompt.calling import Window, prepare, use_of
from gateway.prompt.case.assertion import Answered
from gateway.prompt.case.cases import Case, read_cases
from gateway.prompt.contract.contract import Drift
from gateway.prompt.file.names import DRAFT
from gateway.prompt.library.check import check
from gateway.prompt.library.loading import load_library
from gateway.prompt.library.version import Version
from gateway.prompt.prompts import Chosen
from gateway.settings.load import load
from gateway.tokens.fake import FakeCounter
from gateway.upstream.fake.behaviour import Behaviour
from gateway.wire.answer import read_completion, usage_of
from gateway.wire.chat import ChatRequest, read_chat_request, write_chat_request

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = ROOT / "prompts"
SETTINGS = load(ROOT / "gateway.toml", {})
LIBRARY = load_library(PROMPTS)

BY_THE_APPLICATION = {"audience", "buyer", "formality", "language", "length", "target"}
"""Inputs that say how the prompt works and not what it works on: an application sets them, not whoever writes to it."""

PROMPT_IDS = ("answer/grounded", "extraction/invoice", "support/triage", "text/summary", "text/translation")


class Unwatched:
    """Counts nothing: a difference from an enforced contract is an error anyway."""

    def prompt_drift(self, _prompt: str, _drift: Sequence[Drift]) -> None:
        """Pass over it."""


def _cases(prompt: str) -> tuple[Case, ...]:
    cases, problems = read_cases(f"{prompt}/cases.yaml", (PROMPTS / prompt / "cases.yaml").read_bytes())
    assert problems == ()
    return cases


def _current(prompt: str) -> list[Version]:
    """Return the versions that the cases are for: the latest published one, and the draft."""
    return [LIBRARY.published(prompt)[-1], LIBRARY.prompts[prompt][DRAFT]]


def _call(version: Version, case: Case) -> tuple[ChatRequest, PromptUse]:
    """Return what a caller who sends the case sets off, counted as the fake counts."""
    request = read_chat_request(msgspec.json.encode(Target(version.id, version.name).request(case)))
    route = SETTINGS.routes[version.route or ""]
    window = Window(route.context_window, route.max_output_tokens, FakeCounter(), route.control_tokens)
    chosen = Chosen(version, "")
    return asyncio.run(prepare(chosen, request, used=use_of(chosen), window=window, observer=Unwatched()))


def _answer(request: ChatRequest) -> Answered:
    sent = msgspec.structs.replace(request, model="fake")
    answer, _ = Behaviour().answer(HttpRequest("POST", "/chat/completions", {}, write_chat_request(sent)))
    body = read_completion(b"".join(part for part in answer.parts if isinstance(part, bytes)))
    usage = usage_of(body)
    assert usage is not None
    return Answered(body["choices"][0]["message"]["content"], usage.output, 0.0)


EVERY_CASE = [
    pytest.param(version, case, id=f"{version.reference}-{case.name}")
    for prompt in LIBRARY.ids()
    for version in _current(prompt)
    for case in _cases(prompt)
]


def test_the_prompts_that_we_ship_are_there() -> None:
    assert LIBRARY.ids() == PROMPT_IDS


def test_nothing_is_wrong_with_them_nor_worth_a_warning() -> None:
    windows = {name: route.context_window for name, route in SETTINGS.routes.items()}
    checked = check(LIBRARY, windows=windows)
    assert checked.problems == ()
    assert [size.version for size in checked.sizes if size.tokens is None] == []


@pytest.mark.parametrize("prompt", PROMPT_IDS)
def test_each_has_two_versions_and_a_draft_and_serves_the_latest(prompt: str) -> None:
    assert [version.name for version in LIBRARY.versions(prompt)] == ["v1", "v2", DRAFT]
    assert LIBRARY.seeds[prompt] == {"production": "v2", "staging": "v2"}


@pytest.mark.parametrize("prompt", PROMPT_IDS)
def test_each_has_ten_cases_of_which_one_is_hostile(prompt: str) -> None:
    names = [case.name for case in _cases(prompt)]
    assert len(names) >= 10
    assert [name for name in names if "injection" in name or "instruction" in name]


def test_every_fragment_is_used() -> None:
    used = {fragment for prompt in LIBRARY.ids() for version in LIBRARY.versions(prompt) for fragment in version.source.fragments}
    assert used == {path.relative_to(PROMPTS).as_posix() for path in PROMPTS.rglob("_fragments/*")}


@pytest.mark.parametrize(("version", "case"), EVERY_CASE)
def test_every_case_is_admitted_renders_and_fits_its_budget(version: Version, case: Case) -> None:
    request, _ = _call(version, case)
    assert version.budget is not None
    assert version.budget.max_input_tokens is not None
    assert asyncio.run(FakeCounter().messages(request.messages)) <= version.budget.max_input_tokens
    assert [each.content for each in request.messages if not each.content] == []


@pytest.mark.parametrize(("version", "case"), EVERY_CASE)
def test_every_case_holds_with_the_fake_model(version: Version, case: Case) -> None:
    answered = _answer(_call(version, case)[0])
    assert [(each.shown, wrong) for each in case.expect if (wrong := each.judge(answered))] == []


@pytest.mark.parametrize("prompt", PROMPT_IDS)
def test_what_may_be_left_out_is_left_out_of_some_case(prompt: str) -> None:
    version = _current(prompt)[0]
    assert version.budget is not None
    trimmed = {left.input for case in _cases(prompt) for left in _call(version, case)[1].trimmed}
    assert trimmed == {rule.input for rule in version.budget.trim}


@pytest.mark.parametrize("prompt", PROMPT_IDS)
def test_text_from_outside_stays_out_of_the_system_message(prompt: str) -> None:
    version = _current(prompt)[0]
    said: dict[bytes, set[object]] = {}
    for case in _cases(prompt):
        chosen = {name: value for name, value in case.variables.items() if name in BY_THE_APPLICATION}
        said.setdefault(msgspec.json.encode(chosen), set()).add(_call(version, case)[0].messages[0].content)
    assert [len(texts) for texts in said.values()] == [1] * len(said)


def test_control_a_case_that_does_not_fit_the_contract_is_found() -> None:
    with pytest.raises(InvalidRequest) as refused:
        _call(_current("support/triage")[0], Case("misspelt", 1, {"tickets": "a"}))
    assert refused.value.code == "prompt_variables_invalid"


def test_control_an_answer_that_is_not_as_expected_is_found() -> None:
    case = next(case for case in _cases("support/triage") if case.name == "charged-twice")
    assert [each.kind for each in case.expect if each.judge(Answered("Billing, I think.", 4, 0.0))] == [
        "is-json",
        *2 * ["json-schema"],
    ]


def test_control_an_edited_version_is_found(tmp_path: Path) -> None:
    prompts = shutil.copytree(PROMPTS, tmp_path / "prompts")
    tone = prompts / "_fragments" / "tone.md"
    tone.write_text(tone.read_text() + "Be funny.\n")
    wrong = {problem.file for problem in load_library(prompts).problems if problem.severity == "error"}
    assert {"answer/grounded/v1.prompty", "answer/grounded/v2.prompty", "text/summary/v2.prompty"} <= wrong
    assert "support/triage/v2.prompty" not in wrong
