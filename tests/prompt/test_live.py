"""Prompts of a running process: seeds entered once, labels and folder followed, faults told and never a request's."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.errors import NotFound, Unavailable
from gateway.exchange.caller import Caller
from gateway.prompt.file.problem import Problem
from gateway.prompt.label.labels import Change, Move
from gateway.prompt.label.table import LabelTable
from gateway.prompt.live import LivePrompts
from gateway.prompt.reference import Reference
from gateway.settings.tree import Store
from gateway.store.migrate import open_store
from tests.prompt.shelf import TRIAGE, prompty, put, seal

CALLER = Caller("acme", None, "ABCDEFGHJKLM", "app")
PRODUCTION = Reference(TRIAGE, "production", None)


class Watcher:
    """Notes what it is told; `loaded` is set whenever a library was."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.loaded = threading.Event()

    def prompts_loaded(self, count: int, problems: Sequence[Problem]) -> None:
        self.told.append(f"loaded {count} with {len(problems)} problems")
        self.loaded.set()

    def prompts_unwatched(self) -> None:
        self.told.append("unwatched")

    def labels_stale(self, reason: str) -> None:
        self.told.append(f"stale {reason}")

    def labels_current(self) -> None:
        self.told.append("current")

    def labels_unseeded(self, reason: str) -> None:
        self.told.append(f"unseeded {reason}")


class Log:
    """Takes entries of moves, unless it refuses."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.refuses = False

    def enter(self, move: Move, /, *, withdrawn: bool = False) -> None:
        assert not withdrawn
        if self.refuses:
            raise Unavailable("No.", code="audit_unavailable", reason="audit: full")
        self.entered.append(f"{move.prompt}@{move.label} to {move.version} by {move.by}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "prompts"
    put(root, f"{TRIAGE}/v1.prompty")
    put(root, f"{TRIAGE}/v2.prompty", prompty("Better {{ticket}}"))
    put(root, f"{TRIAGE}/labels.yaml", "production: v1\n")
    seal(root)
    return root


@contextmanager
def living(folder: Path, watcher: Watcher) -> Iterator[LivePrompts]:
    engine = open_store(Store(path=folder.parent / "var"))
    live = LivePrompts(folder, LabelTable(engine), observer=watcher)
    try:
        yield live
    finally:
        live.close()
        engine.dispose()


def test_it_starts_with_folder_and_labels_and_sets_those_that_nobody_moved(folder: Path) -> None:
    watcher, log = Watcher(), Log()
    with living(folder, watcher) as live:
        live.start(log.enter)
        assert live.prompts.choose(PRODUCTION, CALLER).version.name == "v1"
        assert live.degraded() == ""
        live.table.move(Change(prompt=TRIAGE, label="production", version="v2", by="os:ada"), enter=log.enter)
    again = Watcher()
    with living(folder, again) as live:
        live.start(log.enter)
        assert live.prompts.choose(PRODUCTION, CALLER).version.name == "v2"
    assert watcher.told == again.told == ["loaded 2 with 0 problems"]
    assert log.entered == [f"{TRIAGE}@production to v1 by seed", f"{TRIAGE}@production to v2 by os:ada"]


def test_a_move_counts_here_as_soon_as_it_is_looked_for(folder: Path) -> None:
    log = Log()
    with living(folder, Watcher()) as live:
        live.start(log.enter)
        live.table.move(Change(prompt=TRIAGE, label="production", version="v2", by="os:ada"), enter=log.enter)
        live.following.look()
        assert live.prompts.choose(PRODUCTION, CALLER).version.name == "v2"


def test_a_new_prompt_is_served_and_its_labels_are_set(folder: Path) -> None:
    watcher, log = Watcher(), Log()
    with living(folder, watcher) as live:
        live.start(log.enter)
        put(folder, "text/summary/v1.prompty")
        put(folder, "text/summary/labels.yaml", "production: v1\nstaging: v1\n")
        seal(folder)
        live.watch.reload()
        live.following.look()
        assert live.prompts.choose(Reference("text/summary", "staging", None), CALLER).version.name == "v1"
    assert sorted(log.entered[1:]) == ["text/summary@production to v1 by seed", "text/summary@staging to v1 by seed"]


def test_what_is_wrong_with_the_folder_degrades_and_is_told(folder: Path) -> None:
    put(folder, "text/broken/draft.prompty", "---\nmodel: 1\n---\n")
    watcher = Watcher()
    with living(folder, watcher) as live:
        live.start(Log().enter)
        assert "problems in the folder" in live.degraded()
        assert live.prompts.choose(PRODUCTION, CALLER).version.name == "v1"
    assert watcher.told[0].startswith("loaded 2 with ")


def test_labels_that_cannot_be_entered_are_not_set_and_are_tried_again(folder: Path) -> None:
    watcher, log = Watcher(), Log()
    log.refuses = True
    with living(folder, watcher) as live:
        live.start(log.enter)
        assert watcher.told[-1] == "unseeded audit: full"
        with pytest.raises(NotFound):
            live.prompts.choose(PRODUCTION, CALLER)
        log.refuses = False
        put(folder, f"{TRIAGE}/draft.prompty")
        live.watch.reload()
        live.following.look()
        assert live.prompts.choose(PRODUCTION, CALLER).version.name == "v1"


def test_nothing_is_set_before_there_is_a_log_to_enter_it_in(folder: Path) -> None:
    with living(folder, Watcher()) as live:
        put(folder, f"{TRIAGE}/draft.prompty")
        live.watch.reload()
        assert live.table.moves() == ()
