from __future__ import annotations

from pathlib import Path

import pytest

from gateway.prompt.label.labels import Move
from gateway.prompt.library.check import Checked, check
from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import load_library
from tests.prompt.shelf import TRIAGE, prompty, put, seal

REPOSITORY = Path(__file__).resolve().parents[3]
TWO_INPUTS = ("ticket", "tone")
CHANGED = "{{ticket}} {{tone}}"


def move(label: str, version: str, canary: str | None = None) -> Move:
    return Move(seq=1, prompt=TRIAGE, label=label, version=version, canary=canary, by="me", at=0, before=None)


def shelf(root: Path, **versions: str) -> Library:
    for name, text in versions.items():
        put(root, f"{TRIAGE}/{name}.prompty", text)
    seal(root)
    return load_library(root)


def found(checked: Checked) -> list[tuple[str, str]]:
    return [(problem.file.rpartition("/")[2], problem.severity) for problem in checked.problems]


def limited(length: int, budget: str = "") -> str:
    return prompty().replace("contract: 1", f"limits: {{ticket: {{maxLength: {length}}}}}{budget}")


# What is wrong


def test_the_problems_of_loading_are_there(tmp_path: Path) -> None:
    put(tmp_path, f"{TRIAGE}/draft.prompty", "half")
    library = load_library(tmp_path)
    checked = check(library)
    assert checked.problems == library.problems
    assert not checked.ok


def test_an_incompatible_change_without_a_higher_contract_is_an_error(tmp_path: Path) -> None:
    checked = check(shelf(tmp_path, v1=prompty(), v2=prompty(CHANGED, inputs=TWO_INPUTS)))
    assert found(checked) == [("v2.prompty", "error")]
    assert "refuses variables that v1 takes under the same contract: " in checked.problems[0].text
    assert not checked.ok


def test_in_a_draft_it_is_a_warning_since_it_cannot_be_published(tmp_path: Path) -> None:
    checked = check(shelf(tmp_path, v1=prompty(), draft=prompty(CHANGED, inputs=TWO_INPUTS)))
    assert found(checked) == [("draft.prompty", "warning")]
    assert checked.ok


def test_with_a_higher_contract_nothing_is_wrong(tmp_path: Path) -> None:
    assert found(check(shelf(tmp_path, v1=prompty(), v2=prompty(CHANGED, inputs=TWO_INPUTS, contract=2)))) == []


def test_a_contract_that_goes_back_is_an_error(tmp_path: Path) -> None:
    checked = check(shelf(tmp_path, v1=prompty(contract=2), v2=prompty("New {{ticket}}")))
    assert found(checked) == [("v2.prompty", "error")]
    assert "never goes back" in checked.problems[0].text


def test_a_label_that_stands_for_what_is_not_served_is_an_error(tmp_path: Path) -> None:
    library = shelf(tmp_path, v1=prompty())
    moves = [move("production", "v1"), move("staging", "v2"), move("next", "v1", canary="v3")]
    checked = check(library, moves=moves)
    assert [problem.text.partition(",")[0] for problem in checked.problems] == [
        "the label next stands for v3",
        "the label staging stands for v2",
    ]
    assert {problem.file for problem in checked.problems} == {TRIAGE}
    assert not checked.ok
    assert [problem.file for problem in check(Library(), moves=moves[:1]).problems] == [TRIAGE]


@pytest.mark.parametrize(
    ("seeds", "moves", "expected"),
    [
        ("", [], [("draft.prompty", "error"), ("v1.prompty", "warning"), ("v2.prompty", "warning")]),
        ("production: v1", [], [("draft.prompty", "error"), ("v1.prompty", "error"), ("v2.prompty", "warning")]),
        (
            "production: v1",
            [move("production", "v2")],
            [("draft.prompty", "error"), ("v1.prompty", "warning"), ("v2.prompty", "error")],
        ),
        ("", [move("x", "v1", canary="v2")], [("draft.prompty", "error"), ("v1.prompty", "error"), ("v2.prompty", "error")]),
    ],
)
def test_a_route_that_is_not_there_is_an_error_where_callers_come(
    tmp_path: Path, seeds: str, moves: list[Move], expected: list[tuple[str, str]]
) -> None:
    put(tmp_path, f"{TRIAGE}/labels.yaml", seeds)
    library = shelf(tmp_path, v1=prompty(), v2=prompty("2 {{ticket}}"), draft=prompty("3 {{ticket}}"))
    assert found(check(library, moves=moves, windows={"other": None})) == expected
    assert found(check(library, moves=moves, windows={"chat": None})) == []
    assert found(check(library, moves=moves)) == []


def test_a_prompt_that_names_no_route_needs_none(tmp_path: Path) -> None:
    text = prompty().replace("id: chat, ", "")
    assert found(check(shelf(tmp_path, v1=text), windows={})) == []


# Sizes


def test_every_version_has_the_tokens_that_it_comes_to_at_most(tmp_path: Path) -> None:
    checked = check(shelf(tmp_path, v1=prompty(), v2=limited(100)))
    assert [size.version for size in checked.sizes] == ["support/triage@v1", "support/triage@v2"]
    assert checked.sizes[0].tokens is None
    assert checked.sizes[1].tokens is not None
    assert checked.sizes[1].tokens >= 400


def test_a_version_that_may_not_fit_its_route_is_warned_of(tmp_path: Path) -> None:
    library = shelf(tmp_path, v1=limited(100), v2=limited(100, ", budget: {max_input_tokens: 90, reserve_output: 10}"))
    tokens = check(library).sizes[0].tokens
    assert tokens is not None
    assert found(check(library, windows={"chat": tokens})) == []
    assert found(check(library, windows={"chat": tokens - 1})) == [("v1.prompty", "warning")]
    assert found(check(library, windows={"chat": 100})) == [("v1.prompty", "warning")]
    assert found(check(library, windows={"chat": 99})) == [("v1.prompty", "warning"), ("v2.prompty", "warning")]
    assert check(library, windows={"chat": 99}).ok


# Our own


def test_the_prompts_of_this_repository_are_without_a_problem() -> None:
    library = load_library(REPOSITORY / "prompts")
    assert library.count > 0
    assert [problem.sentence() for problem in check(library).problems] == []
