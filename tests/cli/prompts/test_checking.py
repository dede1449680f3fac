"""`gatehouse prompts check` finds what is wrong, with file and line, without a gateway and without a store."""

from __future__ import annotations

import pytest

from tests.cli.prompts.house import House
from tests.prompt.shelf import TRIAGE, prompty, put

CASES = "- name: a\n  variables: {ticket: Help}\n  expect: [is-json: true]\n"


@pytest.fixture
def good(house: House) -> House:
    put(house.prompts, f"{TRIAGE}/cases.yaml", CASES)
    return house


def told(house: House, *, code: int = 0) -> list[str]:
    problems = house.data("check", code=code)["problems"]
    return [f"{each['severity']} {each['file']}:{each['line']}: {each['text']}" for each in problems]


def test_what_is_good_has_no_problem_and_a_size(good: House) -> None:
    text = prompty("{{ticket}}").replace("{contract: 1}", "{contract: 1, limits: {ticket: {maxLength: 100}}}")
    put(good.prompts, "text/summary/draft.prompty", text)
    put(good.prompts, "text/summary/cases.yaml", CASES)
    data = good.data("check")
    assert (data["ok"], data["problems"]) == (True, [])
    assert 400 < data["versions"][-1]["most_tokens"] < 700
    assert data["versions"][0] == {"id": TRIAGE, "version": "v1", "route": "chat", "contract": 1, "most_tokens": None}
    out = good.out("check").splitlines()
    assert out[0] == "VERSION               ROUTE  CONTRACT  MOST TOKENS"
    assert out[1] == "support/triage@v1     chat   1         no bound"
    assert out[-1] == "5 versions can be used; 0 errors, 0 warnings."


def test_the_store_is_not_asked(good: House) -> None:
    good.out("check")
    assert not good.store.exists()


def test_an_error_names_file_and_line_and_fails(good: House) -> None:
    put(good.prompts, f"{TRIAGE}/draft.prompty", prompty("{{tickett}}"))
    result = good.call("check")
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert any(f"{TRIAGE}/draft.prompty:" in line for line in lines)
    assert result.stderr.startswith("3 versions can be used; ")
    data = good.data("check", code=1)
    assert not data["ok"]
    assert all(each["line"] for each in data["problems"] if "not declared" in each["text"])


def test_a_version_that_was_changed_is_an_error(good: House) -> None:
    put(good.prompts, f"{TRIAGE}/v2.prompty", prompty("Changed {{ticket}}"))
    assert any("v2.prompty:0: is not what was published" in line for line in told(good, code=1))


def test_a_route_that_is_not_there_is_an_error(good: House) -> None:
    put(good.prompts, f"{TRIAGE}/draft.prompty", prompty().replace("id: chat", "id: chart"))
    assert told(good, code=1) == [f"error {TRIAGE}/draft.prompty:0: names the route 'chart', which gateway.toml does not have"]


def test_what_may_not_fit_is_a_warning(good: House) -> None:
    text = prompty("{{ticket}}").replace("{contract: 1}", "{contract: 2, limits: {ticket: {maxLength: 9000}}}")
    put(good.prompts, f"{TRIAGE}/draft.prompty", text)
    (line,) = told(good)
    assert line.startswith(f"warning {TRIAGE}/draft.prompty:0: may come to ")


def test_a_prompt_without_cases_is_a_warning(house: House) -> None:
    assert told(house) == [f"warning {TRIAGE}/cases.yaml:0: is not there: nothing tells whether a version is good"]
    assert "warning: " in house.out("check")


@pytest.mark.parametrize(
    ("cases", "problem"),
    [
        (
            "- name: a\n  expect: [contain: b]\n",
            "error {file}:2: cases[0].expect[0].contain is not known: did you mean",
        ),
        (
            "- name: a\n  expect: [contains: b]\n",
            "warning {file}:1: the case 'a' does not fit support/triage@draft: /prompt",
        ),
        (
            f"{CASES}  messages: [{{role: user, content: Hi}}]\n",
            "warning {file}:1: the case 'a' does not fit support/triage@draft: it takes no messages of the caller's",
        ),
    ],
)
def test_cases_are_checked_too(house: House, cases: str, problem: str) -> None:
    put(house.prompts, f"{TRIAGE}/cases.yaml", cases)
    lines = told(house, code=1 if problem.startswith("error") else 0)
    assert any(line.startswith(problem.format(file=f"{TRIAGE}/cases.yaml")) for line in lines)


def test_cases_are_held_against_a_contract_that_is_only_watched(good: House) -> None:
    text = prompty().replace("{contract: 1}", "{contract: 2, mode: shadow}")
    put(good.prompts, f"{TRIAGE}/draft.prompty", text)
    put(good.prompts, f"{TRIAGE}/cases.yaml", CASES.replace("ticket", "tickett"))
    lines = told(good)
    assert any("does not fit support/triage@draft: " in line and "an undeclared name (unknown)" in line for line in lines)
    assert any("ticket (missing)" in line for line in lines)


def test_the_caller_s_messages_of_a_case_are_held_against_their_thread(good: House) -> None:
    text = prompty("{{history}}", inputs=()).replace("inputs: []", "inputs:\n  - {name: history, kind: thread}")
    text = text.replace("{contract: 1}", '{contract: 2, messages: "thread:history"}')
    put(good.prompts, f"{TRIAGE}/draft.prompty", text)
    put(good.prompts, f"{TRIAGE}/cases.yaml", "- name: a\n  expect: [contains: b]\n  messages: [{role: user, content: Hi}]\n")
    assert told(good) == []


def test_a_folder_that_is_not_there_has_no_problem(good: House) -> None:
    good.config.write_text(good.config.read_text() + '[prompts]\npath = "nowhere"\n')
    assert good.out("check") == "0 versions can be used; 0 errors, 0 warnings.\n"
