"""Labels are moved to versions that are served, with a reason, from where labels.yaml lets them begin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

from gateway.errors import Conflict, InvalidRequest, NotFound, Unavailable
from gateway.prompt.label.labels import Move
from gateway.prompt.label.releasing import Promotion, Releasing, check_served
from gateway.prompt.label.table import Expected, LabelTable
from gateway.prompt.library.loading import load_library
from gateway.settings.tree import Store
from gateway.store.migrate import open_store
from tests.prompt.shelf import TRIAGE, prompty, put, seal


class Desk:
    """Moves labels of a prompt in three versions, `production` beginning at v1, and keeps what was entered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "prompts"
        for name in ("v1", "v2", "v3"):
            put(self.folder, f"{TRIAGE}/{name}.prompty", prompty(f"{name} {{{{ticket}}}}"))
        put(self.folder, f"{TRIAGE}/draft.prompty")
        put(self.folder, f"{TRIAGE}/labels.yaml", "production: v1\n")
        seal(self.folder)
        self.engine = open_store(Store(path=folder / "store"))
        self.table = LabelTable(self.engine, now=lambda: 1000.0)
        self.entered: list[Move] = []
        self.refuses = False

    def enter(self, move: Move, /, *, withdrawn: bool = False) -> None:
        if self.refuses:
            raise Unavailable("The log is closed.", code="audit_unavailable")
        assert not withdrawn
        self.entered.append(move)

    def promote(self, version: str, label: str = "production", *, expected: Expected = UNSET, **more: object) -> Move:
        wanted = {"by": "os:me", "why": "better", **more}
        promotion = Promotion(prompt=TRIAGE, label=label, version=version, **wanted)  # type: ignore[arg-type]  # a few of its fields
        return self.releasing.promote(promotion, expected=expected)

    def rollback(self, to: str | None = None, *, why: str = "worse", expected: Expected = UNSET) -> Move:
        return self.releasing.rollback(TRIAGE, "production", to=to, by="os:me", why=why, expected=expected)

    @property
    def releasing(self) -> Releasing:
        return Releasing(load_library(self.folder), self.table, enter=self.enter)

    def standing(self) -> list[tuple[str, str]]:
        return sorted((move.label, move.version) for move in self.table.current())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.engine.dispose()


def test_the_first_move_is_preceded_by_where_labels_begin(desk: Desk) -> None:
    moved = desk.promote("v2")
    assert (moved.before, moved.version, moved.by, moved.why) == ("v1", "v2", "os:me", "better")
    assert [(move.version, move.by) for move in desk.entered] == [("v1", "seed"), ("v2", "os:me")]
    assert desk.rollback().version == "v1"


def test_a_label_may_be_new(desk: Desk) -> None:
    assert desk.promote("v3", "next", expected=None).before is None
    assert desk.standing() == [("next", "v3"), ("production", "v1")]


def test_a_canary_leaves_the_version_that_the_label_has(desk: Desk) -> None:
    moved = desk.promote("v2", percent=10, sticky="tenant", report="eval-17")
    assert (moved.version, moved.canary, moved.percent, moved.sticky, moved.report) == ("v1", "v2", 10, "tenant", "eval-17")
    grown = desk.promote("v2", percent=50, expected="v1")
    assert (grown.version, grown.canary, grown.percent) == ("v1", "v2", 50)
    assert desk.promote("v2").canary is None
    assert desk.standing() == [("production", "v2")]


def test_a_canary_needs_a_version_beside_it(desk: Desk) -> None:
    with pytest.raises(InvalidRequest) as caught:
        desk.promote("v2", "next", percent=5)
    assert caught.value.param == "percent"


@pytest.mark.parametrize("version", ["draft", "v9", "production", ""])
def test_a_label_stands_only_for_what_is_served(desk: Desk, version: str) -> None:
    with pytest.raises(NotFound) as caught:
        desk.promote(version)
    assert (caught.value.code, caught.value.param) == ("prompt_not_found", "version")
    assert desk.entered == []


def test_a_version_that_was_changed_is_not_served(desk: Desk) -> None:
    put(desk.folder, f"{TRIAGE}/v2.prompty", prompty("Changed {{ticket}}"))
    with pytest.raises(NotFound):
        desk.promote("v2")


@pytest.mark.parametrize("why", ["", " \n"])
def test_nobody_moves_a_label_without_a_reason(desk: Desk, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        desk.promote("v2", why=why)
    assert caught.value.param == "why"
    desk.promote("v2")
    with pytest.raises(InvalidRequest) as caught:
        desk.rollback(why=why)
    assert caught.value.param == "why"
    assert desk.standing() == [("production", "v2")]


def test_what_is_wrong_with_a_move_is_found_before_anything_is_entered(desk: Desk) -> None:
    with pytest.raises(InvalidRequest) as caught:
        desk.promote("v2", "Prod")
    assert caught.value.param == "label"
    assert desk.entered == []


def test_who_expects_something_else_moves_nothing(desk: Desk) -> None:
    for expected in ("v3", None):
        for percent in (None, 5):
            with pytest.raises(Conflict) as caught:
                desk.promote("v2", percent=percent, expected=expected)
            assert caught.value.code == "label_moved"
    desk.promote("v2")
    with pytest.raises(Conflict):
        desk.rollback(expected="v3")
    assert desk.standing() == [("production", "v2")]
    assert desk.rollback(expected="v2").version == "v1"


def test_a_rollback_goes_to_the_nearest_or_the_named_version(desk: Desk) -> None:
    desk.promote("v2")
    desk.promote("v3")
    assert desk.rollback().version == "v2"
    assert desk.rollback("v3").version == "v3"
    with pytest.raises(InvalidRequest) as caught:
        desk.promote("v3", "next")
        desk.releasing.rollback(TRIAGE, "next", to="v1", by="os:me", why="worse")
    assert caught.value.param == "label"


def test_a_label_without_moves_is_unknown(desk: Desk) -> None:
    for label in ("next", "v7", "\0"):
        with pytest.raises(NotFound) as caught:
            desk.releasing.rollback(TRIAGE, label, to=None, by="os:me", why="worse")
        assert caught.value.param == "label"


def test_a_rollback_to_what_is_not_served_any_more_is_refused(desk: Desk) -> None:
    desk.promote("v2")
    (desk.folder / TRIAGE / "v1.prompty").unlink()
    with pytest.raises(NotFound):
        desk.rollback()
    assert desk.standing() == [("production", "v2")]


def test_nothing_moves_where_the_log_refuses(desk: Desk) -> None:
    desk.promote("v2")
    desk.refuses = True
    with pytest.raises(Unavailable):
        desk.promote("v3")
    with pytest.raises(Unavailable):
        desk.rollback()
    assert desk.standing() == [("production", "v2")]


def test_a_version_is_served_or_unknown(desk: Desk) -> None:
    library = load_library(desk.folder)
    check_served(library, TRIAGE, "v3")
    with pytest.raises(NotFound):
        check_served(library, "support/nothing", "v3")
