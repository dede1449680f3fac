from __future__ import annotations

import threading
from pathlib import Path
from typing import get_args

import pytest

from gateway.errors import NotFound
from gateway.exchange.caller import Caller, Role
from gateway.prompt.label.labels import Labels, Move
from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import load_library
from gateway.prompt.prompts import Prompts
from gateway.prompt.reference import Reference, reference_of
from tests.prompt.shelf import TRIAGE, prompty, put, seal

APP = Caller("acme", "billing", "key-1", "app")
ENGINEER = Caller("acme", None, "key-2", "prompt-engineer")


def move(label: str, version: str, *, seq: int = 1, prompt: str = TRIAGE, canary: str | None = None, percent: int = 0) -> Move:
    return Move(seq=seq, prompt=prompt, label=label, version=version, canary=canary, percent=percent, by="me", at=0, before=None)


def shelf(root: Path) -> Library:
    for name in ("v1", "v2", "draft"):
        put(root, f"{TRIAGE}/{name}.prompty", prompty(f"{name} {{{{ticket}}}}"))
    seal(root)
    return load_library(root)


def asked(text: str) -> Reference:
    reference = reference_of(f"prompt/{text}")
    assert reference is not None
    return reference


def why(prompts: Prompts, text: str, caller: Caller = APP) -> str:
    with pytest.raises(NotFound) as caught:
        prompts.choose(asked(text), caller)
    assert caught.value.code == "prompt_not_found"
    assert caught.value.message == "There is no such prompt, version or label here."
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("support/other", "no such prompt"),
        ("support/other@v1", "no such version"),
        ("support/triage@v3", "no such version"),
        ("support/triage@staging", "no such label"),
        ("support/triage@ahead", "label of a version that is not served"),
        ("support/gone", "label of a version that is not served"),
    ],
)
def test_what_is_not_there_is_never_answered_with_something_else(tmp_path: Path, text: str, reason: str) -> None:
    moves = [move("production", "v1"), move("ahead", "v9", seq=2), move("production", "v1", seq=3, prompt="support/gone")]
    assert why(Prompts(shelf(tmp_path), Labels(moves)), text) == reason


@pytest.mark.parametrize("role", [role for role in get_args(Role) if role != "prompt-engineer"])
def test_a_draft_is_not_there_for_any_other_role(tmp_path: Path, role: Role) -> None:
    prompts = Prompts(shelf(tmp_path))
    assert why(prompts, "support/triage@draft", Caller("acme", None, "key-1", role)) == "draft for this role"


def test_a_draft_is_there_for_a_prompt_engineer(tmp_path: Path) -> None:
    chosen = Prompts(shelf(tmp_path)).choose(asked("support/triage@draft"), ENGINEER)
    assert (chosen.version.name, chosen.label) == ("draft", "")


def test_a_draft_that_is_not_there_is_answered_alike_whoever_asks(tmp_path: Path) -> None:
    prompts = Prompts(load_library(tmp_path))
    assert why(prompts, "support/triage@draft", ENGINEER) == "no such version"
    assert why(prompts, "support/triage@draft") == "draft for this role"


def test_a_label_gives_the_version_that_it_stands_for(tmp_path: Path) -> None:
    prompts = Prompts(shelf(tmp_path), Labels([move("production", "v2"), move("staging", "v1", seq=2)]))
    assert prompts.choose(asked("support/triage"), APP).version.name == "v2"
    chosen = prompts.choose(asked("support/triage@staging"), APP)
    assert (chosen.version.name, chosen.label) == ("v1", "staging")


def test_a_version_is_itself_whatever_labels_say(tmp_path: Path) -> None:
    prompts = Prompts(shelf(tmp_path), Labels([move("production", "v2")]))
    chosen = prompts.choose(asked("support/triage@v1"), APP)
    assert (chosen.version.name, chosen.label) == ("v1", "")


def test_a_canary_is_drawn_by_the_key_of_the_caller(tmp_path: Path) -> None:
    prompts = Prompts(shelf(tmp_path), Labels([move("production", "v1", canary="v2", percent=50)]))

    def names() -> list[str]:
        keys = (Caller("acme", None, f"key-{number}", "app") for number in range(200))
        return [prompts.choose(asked("support/triage"), caller).version.name for caller in keys]

    first = names()
    assert set(first) == {"v1", "v2"}
    assert names() == first


def test_another_library_and_other_labels_count_from_the_next_choice_on(tmp_path: Path) -> None:
    prompts = Prompts()
    assert why(prompts, "support/triage@v1") == "no such version"
    prompts.take_library(shelf(tmp_path))
    chosen = prompts.choose(asked("support/triage@v1"), APP)
    assert why(prompts, "support/triage") == "no such label"
    prompts.take_labels(Labels([move("production", "v1")]))
    assert prompts.choose(asked("support/triage"), APP).version is chosen.version
    prompts.take_library(Library())
    assert chosen.version.reference == "support/triage@v1"
    assert prompts.library.count == 0
    assert prompts.labels.version(TRIAGE, "production", tenant="acme", caller="key-1") == "v1"


@pytest.mark.parametrize("half", ["library", "labels"])
def test_a_swap_waits_for_one_that_is_under_way_so_that_neither_is_lost(tmp_path: Path, half: str) -> None:
    prompts, library, labels = Prompts(), shelf(tmp_path), Labels([move("production", "v1")])
    before = prompts._pair
    swap = {"library": lambda: prompts.take_library(library), "labels": lambda: prompts.take_labels(labels)}
    thread = threading.Thread(target=swap[half])
    with prompts._swap:
        thread.start()
        thread.join(0.1)
        assert prompts._pair is before
        prompts._pair = (before[0], labels) if half == "library" else (library, before[1])
    thread.join()
    assert prompts.library is library
    assert prompts.labels is labels
