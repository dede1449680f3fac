"""`gatehouse prompts test` runs a version's cases against a gateway, and its exit code is what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.audit.search.archive import Archive
from gateway.audit.search.filters import Filters
from gateway.audit.search.rights import View
from tests.cli.prompts.house import TOML, House
from tests.cli.prompts.test_sending import Answering, answering
from tests.prompt.shelf import TRIAGE, prompty, put

CASES = """\
- name: good
  variables: {ticket: Help}
  expect:
    - not-contains: refund
    - max-tokens: 400
- name: bad
  variables: {ticket: Help}
  expect:
    - contains: never said by any model
    - latency: 30s
- name: wrong
  variables: {tickett: Help}
  expect: [is-json: true]
"""
GOOD = CASES[: CASES.index("- name: bad")]


@pytest.fixture
def cased(house: House) -> House:
    put(house.prompts, f"{TRIAGE}/cases.yaml", CASES)
    return house


def exchanges(house: House) -> list[Any]:
    return list(Archive(house.store).search(Filters(), View(None, "", "operator")).data)


def test_every_assertion_of_every_case_is_told_and_one_that_fails_fails_all(cased: House) -> None:
    result = cased.call("test", f"{TRIAGE}@v2")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["CASE", "ASSERTION", "RESULT", "TOKENS", "MS", "WHY"]
    assert [line.split("  ")[0] for line in lines[1:]] == ["good", "good", "bad", "bad", "wrong"]
    assert lines[3].count('contains "never said by any model"') == 1
    assert lines[3].endswith("  it is not there")
    assert [line.split().count("FAIL") for line in lines[1:]] == [0, 0, 1, 0, 1]
    assert "  400 prompt_variables_invalid: " in lines[5]
    assert result.stderr == "1 of 3 cases hold.\n"


def test_cases_that_hold_are_a_success(cased: House) -> None:
    assert cased.out("test", f"{TRIAGE}@v2", "--case", "good").endswith("1 of 1 cases hold.\n")


def test_programs_get_every_result(cased: House) -> None:
    data = cased.data("test", f"{TRIAGE}@v2", code=1)
    assert (data["ok"], data["prompt"]) == (False, f"{TRIAGE}@v2")
    good, bad, wrong = data["cases"]
    assert (good["ok"], good["error"]) == (True, None)
    assert good["assertions"][0] == {"assertion": 'not-contains "refund"', "ok": True, "detail": None}
    assert good["output_tokens"] > 0
    assert bad["assertions"][0]["detail"] == "it is not there"
    assert (wrong["ok"], wrong["assertions"], wrong["output_tokens"]) == (False, [], None)


def test_a_run_in_this_process_is_entered_in_the_log_with_the_version(cased: House) -> None:
    cased.call("test", f"{TRIAGE}@v2")
    found = exchanges(cased)
    assert [each.outcome for each in found] == ["refused", "complete", "complete"]
    assert {each.tenant for each in found} == {"acme"}
    assert {each.role for each in found} == {"prompt-engineer"}


def test_a_draft_and_a_label_can_be_run(cased: House) -> None:
    assert cased.data("test", f"{TRIAGE}@draft", "--case", "good")["prompt"] == f"{TRIAGE}@draft"
    assert cased.data("test", TRIAGE, "--case", "good")["prompt"] == f"{TRIAGE}@v1"


def test_a_route_is_asked_where_the_prompt_leaves_it_open(cased: House) -> None:
    put(cased.prompts, f"{TRIAGE}/draft.prompty", prompty().replace("{id: chat, apiType: chat}", "{apiType: chat}"))
    cased.out("test", f"{TRIAGE}@draft", "--case", "good", "--route", "large")
    assert exchanges(cased)[0].route == "large"
    data = cased.data("test", f"{TRIAGE}@v1", "--case", "good", "--route", "large", code=1)
    assert data["cases"][0]["error"].startswith("400 invalid_field: ")


def test_a_running_gateway_is_asked_with_the_key_of_the_environment(cased: House) -> None:
    with answering() as url:
        result = cased.call("test", f"{TRIAGE}@v2", "--case", "good", "--url", url, env={"GATEHOUSE_API_KEY": "gth_mine"})
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].endswith("  status 418")
    ((path, key, body),) = Answering.asked
    assert (path, key) == ("/v1/chat/completions", "Bearer gth_mine")
    assert body == {"model": f"prompt/{TRIAGE}@v2", "prompt": {"variables": {"ticket": "Help"}}}
    assert not cased.store.exists()


def test_a_running_gateway_needs_a_key(cased: House) -> None:
    said = cased.fails("test", f"{TRIAGE}@v2", "--url", "http://127.0.0.1:1", env={"GATEHOUSE_API_KEY": ""})
    assert said == "--url: put an API key of that gateway into the environment as GATEHOUSE_API_KEY"


def test_a_gateway_that_is_not_there_is_told(cased: House) -> None:
    with answering() as url:
        pass
    said = cased.fails("test", f"{TRIAGE}@v2", "--url", url, env={"GATEHOUSE_API_KEY": "k"})
    assert "does not answer" in said


def test_who_pays_is_the_only_tenant_or_named(tmp_path: Path) -> None:
    house = House(tmp_path, toml=TOML + "[tenants.beta]\n")
    put(house.prompts, f"{TRIAGE}/cases.yaml", GOOD)
    assert house.fails("test", f"{TRIAGE}@v1") == "--tenant: name the tenant that pays for the answers: known: acme, beta"
    assert 'did you mean "beta"?' in house.fails("test", f"{TRIAGE}@v1", "--tenant", "bets")
    house.out("test", f"{TRIAGE}@v1", "--tenant", "beta")
    assert exchanges(house)[0].tenant == "beta"


def test_without_a_tenant_nobody_can_pay(tmp_path: Path) -> None:
    house = House(tmp_path, toml=TOML.replace("[tenants.acme]", ""))
    put(house.prompts, f"{TRIAGE}/cases.yaml", GOOD)
    assert "--tenant: name the tenant that pays" in house.fails("test", f"{TRIAGE}@v1")


@pytest.mark.parametrize(
    ("cases", "code", "sentence"),
    [
        (None, 2, "cases.yaml: there is none: write the prompt's cases there"),
        ("[]\n", 2, "cases.yaml: holds no case"),
        ("- name: a\n", 1, "support/triage/cases.yaml:1: cases[0].expect must be a list"),
    ],
)
def test_cases_that_cannot_be_run_are_told(house: House, cases: str | None, code: int, sentence: str) -> None:
    if cases is not None:
        put(house.prompts, f"{TRIAGE}/cases.yaml", cases)
    assert sentence in house.fails("test", f"{TRIAGE}@v1", code=code)


def test_a_case_that_is_not_there_is_wrong_use(cased: House) -> None:
    said = cased.fails("test", f"{TRIAGE}@v1", "--case", "god")
    assert said == "--case: support/triage has no case 'god': did you mean \"good\"?"
