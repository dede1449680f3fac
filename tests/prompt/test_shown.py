"""Prompts, versions and moves are shown alike at the command line and over HTTP."""

from __future__ import annotations

from pathlib import Path

from gateway.prompt.label.labels import Labels, Move
from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import load_library
from gateway.prompt.library.version import Version
from gateway.prompt.shown import LabelShown, move_shown, prompt_shown, version_shown, version_text
from tests.prompt.shelf import TRIAGE, prompty, put, seal


def moved(label: str, version: str, *, canary: str | None = None, percent: int = 0) -> Move:
    return Move(
        prompt=TRIAGE, label=label, version=version, canary=canary, percent=percent, sticky="tenant", by="os:me", why="so",
        seq=1, at=1_795_478_400, before=None,
    )  # fmt: skip


def library(folder: Path) -> Library:
    put(folder, "_fragments/tone.md", "Be kind.\n")
    put(folder, f"{TRIAGE}/v1.prompty", prompty('{% include "_fragments/tone.md" %}\n{{ticket}}', contract=2))
    put(folder, f"{TRIAGE}/draft.prompty")
    put(folder, f"{TRIAGE}/labels.yaml", "production: v1\nstaging: v1\n")
    seal(folder)
    return load_library(folder)


def first(folder: Path) -> Version:
    return library(folder).versions(TRIAGE)[0]


def test_a_prompt_has_its_labels_by_name_and_its_versions_in_order(tmp_path: Path) -> None:
    shown = prompt_shown(TRIAGE, library(tmp_path), Labels([moved("next", "v1", canary="v2", percent=5)]), seeds=False)
    assert shown.labels == [LabelShown("next", "v1", "v2", 5, "tenant")]
    assert (shown.id, [version.version for version in shown.versions]) == (TRIAGE, ["v1", "draft"])


def test_where_labels_begin_is_shown_until_they_were_moved(tmp_path: Path) -> None:
    shown = prompt_shown(TRIAGE, library(tmp_path), Labels([moved("production", "v1")]), seeds=True)
    assert shown.labels == [LabelShown("production", "v1"), LabelShown("staging", "v1", seed=True)]


def test_a_version_is_shown_without_and_with_its_text(tmp_path: Path) -> None:
    version = first(tmp_path)
    shown = version_shown(version)
    assert (shown.version, shown.digest, shown.file) == ("v1", version.digest, f"{TRIAGE}/v1.prompty")
    assert (shown.route, shown.contract, shown.mode, shown.description) == ("chat", 2, "enforce", "")
    whole = version_text(version)
    assert whole.fragments == ("_fragments/tone.md",)
    assert whole.text == "system:\nBe brief.\nuser:\nBe kind.\n{{ticket}}\n"
    assert whole.schema["x-contract"] == 2
    assert whole.digest == shown.digest


def test_a_move_has_its_time_in_utc_and_a_draw_only_with_a_canary() -> None:
    shown = move_shown(moved("next", "v1"))
    assert (shown.at, shown.sticky, shown.before) == ("2026-11-24T00:00:00Z", None, None)
    assert move_shown(moved("next", "v1", canary="v2", percent=5)).sticky == "tenant"
