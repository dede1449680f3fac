"""What a person types is one version, or one sentence about what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.prompts.opening import Opened, current_labels, open_prompts, reference, wrong_use
from gateway.errors import Conflict, InvalidRequest, NotFound, SettingsError
from gateway.prompt.label.labels import Labels, Move
from tests.cli.prompts.house import House
from tests.prompt.shelf import TRIAGE, put


@pytest.fixture
def opened(house: House) -> Opened:
    return open_prompts(house.config)


def no_labels() -> Labels:
    raise AssertionError("a version needs no store")


def moved(version: str, label: str = "production") -> Labels:
    return Labels([Move(prompt=TRIAGE, label=label, version=version, by="os:me", why="", seq=1, at=0, before=None)])


@pytest.mark.parametrize(("text", "name"), [(f"{TRIAGE}@v2", "v2"), (f"{TRIAGE}@draft", "draft")])
def test_a_version_is_chosen_without_the_store(opened: Opened, text: str, name: str) -> None:
    assert opened.chosen(text, no_labels).name == name


def test_a_label_is_what_it_stands_for_now_or_where_it_begins(opened: Opened) -> None:
    assert opened.chosen(TRIAGE, Labels).name == "v1"
    assert opened.chosen(f"{TRIAGE}@production", lambda: moved("v2")).name == "v2"
    assert opened.chosen(f"{TRIAGE}@next", lambda: moved("v3", "next")).name == "v3"
    assert opened.standing(TRIAGE, moved("v3", "next")) == {"production": "v1", "next": "v3"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("triage", "'triage' is no prompt: write '<namespace>/<name>', and behind it '@v2', '@draft' or '@<label>'"),
        ("support/Triage@v1", "'support/Triage@v1' is no prompt: write"),
        ("support/triage@", "'support/triage@' is no prompt: write"),
        ("support/triage@v2@v3", "is no prompt: write"),
        ("support/triag@v1", 'There is no prompt support/triag in {folder}: did you mean "support/triage"?'),
        ("support/triage@v9", "There is no support/triage@v9: there are v1, v2, v3, draft"),
        ("support/triage@staging", "support/triage has no label staging: write a version, such as support/triage@v1"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(opened: Opened, text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        opened.chosen(text, Labels)
    assert words.format(folder=opened.folder) in str(caught.value)


def test_a_prompt_that_is_no_name_is_wrong_use(opened: Opened) -> None:
    with pytest.raises(SettingsError, match="'triage' is no prompt: write '<namespace>/<name>', such as support/triage"):
        opened.versions("triage")


def test_a_version_that_cannot_be_used_leads_to_the_check(house: House) -> None:
    put(house.prompts, f"{TRIAGE}/v2.prompty", "changed")
    with pytest.raises(
        SettingsError, match="There is no support/triage@v2, and some of its files cannot be used: run 'gatehouse"
    ):
        open_prompts(house.config).version(TRIAGE, "v2")


def test_a_folder_is_named_as_a_person_here_would_write_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.folder)
    assert open_prompts(house.config).folder == Path("prompts")
    (house.folder / "below").mkdir()
    monkeypatch.chdir(house.folder / "below")
    assert open_prompts(house.config).folder == house.prompts


def test_a_file_of_the_folder_is_read_if_it_is_there(house: House, opened: Opened) -> None:
    put(house.prompts, f"{TRIAGE}/cases.yaml", "[]")
    assert opened.read(f"{TRIAGE}/cases.yaml") == b"[]"
    assert opened.read(f"{TRIAGE}/other.yaml") is None
    with pytest.raises(SettingsError, match=r"triage: cannot be read: "):
        opened.read(TRIAGE)


def test_labels_come_from_the_store(house: House, opened: Opened) -> None:
    assert current_labels(opened.settings).last == 0
    house.out("promote", TRIAGE, "production", "v2", "--why", "better")
    assert current_labels(opened.settings).labels(TRIAGE)["production"].version == "v2"


def test_a_reference_without_a_label_means_production() -> None:
    assert (reference(TRIAGE).label, reference(f"{TRIAGE}@v1").version) == ("production", "v1")


def test_what_the_domain_refuses_of_what_was_typed_is_wrong_use() -> None:
    with pytest.raises(SettingsError, match=r"^Not so$"), wrong_use("nothing there"):
        raise InvalidRequest("Not so.")
    with pytest.raises(SettingsError, match=r"^nothing there$"), wrong_use("nothing there"):
        raise NotFound("No.")
    with pytest.raises(Conflict), wrong_use("nothing there"):
        raise Conflict("Moved.")
