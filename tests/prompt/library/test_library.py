from __future__ import annotations

from pathlib import Path

import pytest

from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import load_library
from tests.prompt.shelf import TRIAGE, names, prompty, put, seal


def filled(root: Path) -> Library:
    for name in ("v1", "v2", "v10", "draft"):
        put(root, f"{TRIAGE}/{name}.prompty", prompty(f"{name} {{{{ticket}}}}"))
    put(root, "a/b/v1.prompty")
    seal(root)
    return load_library(root)


def test_versions_are_found_by_prompt_and_name(tmp_path: Path) -> None:
    library = filled(tmp_path)
    found = library.get(TRIAGE, "v2")
    assert found is not None
    assert (found.id, found.name, found.reference) == (TRIAGE, "v2", "support/triage@v2")
    assert library.get(TRIAGE, "v3") is None
    assert library.get("support/other", "v1") is None


def test_versions_stand_in_the_order_of_their_numbers_and_the_draft_last(tmp_path: Path) -> None:
    library = filled(tmp_path)
    assert names(library) == {"a/b": ["v1"], TRIAGE: ["v1", "v2", "v10", "draft"]}
    assert library.ids() == ("a/b", TRIAGE)
    assert [version.name for version in library.published(TRIAGE)] == ["v1", "v2", "v10"]
    assert library.versions("support/other") == ()
    assert library.count == 5


def test_nobody_can_change_it(tmp_path: Path) -> None:
    library = filled(tmp_path)
    with pytest.raises(TypeError):
        library.prompts["x/y"] = {}  # type: ignore[index]
    with pytest.raises(TypeError):
        library.prompts[TRIAGE]["v3"] = library.versions(TRIAGE)[0]  # type: ignore[index]
    with pytest.raises(AttributeError):
        library.problems = ()  # type: ignore[misc]


def test_an_empty_one_serves_nothing() -> None:
    library = Library()
    assert (library.ids(), library.count, library.get(TRIAGE, "v1"), library.versions(TRIAGE)) == ((), 0, None, ())


def test_two_serve_the_same_only_if_versions_seeds_and_problems_are_the_same(tmp_path: Path) -> None:
    library = filled(tmp_path)
    assert load_library(tmp_path, library).serves_as(library)
    assert not load_library(tmp_path).serves_as(library)
    assert not Library().serves_as(library)
    put(tmp_path, f"{TRIAGE}/labels.yaml", "production: v1")
    seeded = load_library(tmp_path, library)
    assert not seeded.serves_as(library)
    put(tmp_path, "lost.prompty")
    assert not load_library(tmp_path, seeded).serves_as(seeded)
