"""The folder as a whole: its seeds, and a folder that is not there or too full."""

from __future__ import annotations

from pathlib import Path

from gateway.prompt.library.folder import Limits
from gateway.prompt.library.loading import load_library
from tests.prompt.shelf import TRIAGE, names, put, two


def test_labels_yaml_seeds_labels_with_versions_that_are_served(tmp_path: Path) -> None:
    two(tmp_path)
    put(tmp_path, f"{TRIAGE}/labels.yaml", "production: v1\nstaging: v3\nv7: v1\nnext: v2\n")
    library = load_library(tmp_path)
    assert library.seeds == {TRIAGE: {"production": "v1", "next": "v2"}}
    assert [(problem.file, problem.line) for problem in library.problems] == [
        (f"{TRIAGE}/labels.yaml", 2),
        (f"{TRIAGE}/labels.yaml", 3),
    ]


def test_labels_yaml_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    two(tmp_path)
    (tmp_path / f"{TRIAGE}/labels.yaml").mkdir()
    library = load_library(tmp_path)
    assert [problem.file for problem in library.problems] == [f"{TRIAGE}/labels.yaml"]
    assert library.seeds == {}


# The folder


def test_a_folder_that_does_not_exist_is_an_empty_library(tmp_path: Path) -> None:
    library = load_library(tmp_path / "missing")
    assert (names(library), library.problems) == ({}, ())


def test_of_too_many_files_the_first_are_served(tmp_path: Path) -> None:
    for name in "abcd":
        put(tmp_path, f"a/{name}/draft.prompty")
    library = load_library(tmp_path, limits=Limits(files=7))
    assert names(library) == {"a/a": ["draft"], "a/b": ["draft"]}
    assert [problem.file for problem in library.problems] == ["."]
