"""An app sees the labels of prompts whose routes it may use, and through them one version each; others see everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.api.visible import VisiblePrompts
from gateway.errors import NotFound
from gateway.exchange.caller import Caller, Role
from gateway.prompt.label.labels import Labels, Move
from gateway.prompt.library.loading import load_library
from gateway.prompt.prompts import Prompts
from gateway.prompt.reference import Reference
from tests.prompt.shelf import TRIAGE, prompty, put, seal

SUMMARY = "text/summary"


class Callers:
    """Lets apps of tenant acme use `chat`, those of beta nothing."""

    def routes_allowed(self, caller: Caller, route: str) -> bool:
        return (caller.tenant, route) == ("acme", "chat")


def caller(role: Role = "app", tenant: str = "acme", key: str = "k") -> Caller:
    return Caller(tenant=tenant, app=None, key_id=key, role=role)


def moved(seq: int, prompt: str, label: str, version: str, *, canary: str | None = None) -> Move:
    percent = 0 if canary is None else 50
    return Move(
        prompt=prompt, label=label, version=version, canary=canary, percent=percent, sticky="caller", by="os:me", why="so",
        seq=seq, at=0, before=None,
    )  # fmt: skip


@pytest.fixture
def visible(tmp_path: Path) -> VisiblePrompts:
    """Triage in two versions with a canary; a summary without a route of its own, one for another route, one without a label."""
    for name in ("v1", "v2"):
        put(tmp_path, f"{TRIAGE}/{name}.prompty", prompty(f"{name} {{{{ticket}}}}"))
    put(tmp_path, f"{TRIAGE}/draft.prompty")
    put(tmp_path, f"{SUMMARY}/v1.prompty", prompty().replace("{id: chat, apiType: chat}", "{apiType: chat}"))
    put(tmp_path, "text/other/v1.prompty", prompty().replace("id: chat", "id: large"))
    put(tmp_path, "text/unlabelled/v1.prompty")
    seal(tmp_path)
    moves = [
        moved(1, TRIAGE, "production", "v1", canary="v2"), moved(2, TRIAGE, "gone", "v9"), moved(3, SUMMARY, "production", "v1"),
        moved(4, "text/other", "production", "v1"),
    ]  # fmt: skip
    return VisiblePrompts(Prompts(load_library(tmp_path), Labels(moves)), Callers())  # type: ignore[arg-type]  # the seam is one method of it


def test_an_app_sees_what_it_may_call(visible: VisiblePrompts) -> None:
    assert [each.id for each in visible.all(caller())] == [TRIAGE, SUMMARY]
    assert [each.id for each in visible.all(caller(tenant="beta"))] == [SUMMARY]
    assert all(each.versions == [] for each in visible.all(caller()))


def test_an_app_sees_its_own_side_of_a_canary_and_not_that_there_is_one(visible: VisiblePrompts) -> None:
    sides = set()
    for number in range(40):
        (label,) = visible.one(TRIAGE, caller(key=f"key-{number}")).labels
        assert (label.label, label.canary, label.percent, label.sticky) == ("production", None, 0, None)
        used = visible.used(Reference(TRIAGE, "production", None), caller(key=f"key-{number}"))
        assert used.name == label.version
        sides.add(label.version)
    assert sides == {"v1", "v2"}


@pytest.mark.parametrize("role", ["prompt-engineer", "operator", "auditor"])
def test_others_see_everything(visible: VisiblePrompts, role: Role) -> None:
    shown = visible.all(caller(role, tenant="beta"))
    assert [each.id for each in shown] == [TRIAGE, "text/other", SUMMARY, "text/unlabelled"]
    assert [each.version for each in shown[0].versions] == ["v1", "v2", "draft"]
    assert [(each.label, each.version, each.canary) for each in shown[0].labels] == [
        ("gone", "v9", None),
        ("production", "v1", "v2"),
    ]


@pytest.mark.parametrize("prompt", ["text/nothing", "text/other", "text/unlabelled"])
def test_what_an_app_may_not_call_is_as_unknown_as_what_is_not_there(visible: VisiblePrompts, prompt: str) -> None:
    with pytest.raises(NotFound) as caught:
        visible.one(prompt, caller())
    assert (caught.value.code, caught.value.param) == ("prompt_not_found", "id")
    with pytest.raises(NotFound) as caught:
        visible.used(Reference(prompt, "production", None, "label"), caller())
    assert (caught.value.code, caught.value.param) == ("prompt_not_found", "label")


def test_text_is_read_by_version_draft_or_label(visible: VisiblePrompts) -> None:
    engineer = caller("prompt-engineer")
    assert visible.text(Reference(TRIAGE, None, "draft"), engineer).name == "draft"
    assert visible.text(Reference(TRIAGE, None, "v2"), engineer).name == "v2"
    assert visible.text(Reference(SUMMARY, "production", None), engineer).name == "v1"


@pytest.mark.parametrize(("label", "version"), [("nowhere", None), ("gone", None), (None, "v9"), (None, "production")])
def test_text_that_is_not_there_is_unknown(visible: VisiblePrompts, label: str | None, version: str | None) -> None:
    with pytest.raises(NotFound):
        visible.text(Reference(TRIAGE, label, version), caller("operator"))
