from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.prompt.library.folder import Limits
from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import attempt, load_library
from gateway.prompt.library.lock import FILE, read_lock, write_lock
from tests.prompt.shelf import DRAFT_FILE as DRAFT
from tests.prompt.shelf import TONE, TRIAGE, V1, V2, names, prompty, put, seal, sentences, two


def served(library: Library, name: str) -> str:
    """Return the text of a version that is served."""
    version = library.get(TRIAGE, name)
    assert version is not None
    return version.source.body


# What lies there is wrong


@pytest.mark.parametrize(
    "text",
    ["", "---\n", "no front matter", "---\nmodel: [\n---\n", prompty("{{ticket}} {{unknown}}"), prompty("{{ ticket"), "\x00"],
    ids=["empty", "half", "plain", "yaml", "undeclared", "syntax", "control"],
)
@pytest.mark.parametrize("file", [DRAFT, V2])
def test_one_bad_file_never_takes_the_others_down(tmp_path: Path, text: str, file: str) -> None:
    two(tmp_path)
    put(tmp_path, "a/b/draft.prompty")
    put(tmp_path, file, text)
    library = load_library(tmp_path)
    assert names(library) == {"a/b": ["draft"], TRIAGE: ["v1"] if file == V2 else ["v1", "v2"]}
    assert all(sentence.startswith(file) for sentence in sentences(library))
    assert library.problems


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(prompty())), st.booleans())
def test_no_bytes_of_one_file_take_another_down(data: bytes, at: int, cut: bool) -> None:
    good = prompty().encode()
    with TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, "a/b/draft.prompty")
        put(root, DRAFT).write_bytes(good[:at] + data + (b"" if cut else good[at:]))
        library = load_library(root)
        assert library.get("a/b", "draft") is not None
        assert library.get(TRIAGE, "draft") is not None or any(problem.file == DRAFT for problem in library.problems)
        assert not any("a fault of Gatehouse" in problem.text for problem in library.problems)


def test_a_problem_names_file_and_line(tmp_path: Path) -> None:
    put(tmp_path, DRAFT, prompty("\n{{ticket}} {{unknown}}"))
    put(tmp_path, "a/b/draft.prompty", prompty(extra="mode: fast\n"))
    assert [(problem.file, problem.line) for problem in load_library(tmp_path).problems] == [
        ("a/b/draft.prompty", 4),
        (DRAFT, 11),
    ]


def test_a_fault_of_ours_in_one_file_is_a_problem_of_that_file() -> None:
    def work() -> None:
        raise RecursionError

    made, (problem,) = attempt(work, DRAFT)
    assert made is None
    assert "a fault of Gatehouse" in problem.text
    assert "RecursionError" in problem.text


def test_a_file_that_is_too_large_or_no_file_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path, DRAFT, prompty("x" * 3000 + "{{ticket}}"))
    put(tmp_path, "a/b/v1.prompty").unlink()
    os.mkfifo(tmp_path / "a/b/v1.prompty")
    library = load_library(tmp_path, limits=Limits(file_bytes=2000))
    assert names(library) == {}
    assert sentences(library) == [
        "a/b/v1.prompty: cannot be read: is not a regular file",
        f"a/b/v1.prompty: is not in {FILE}: only 'gatehouse prompts publish' makes a published version",
        f"{DRAFT}: cannot be read: is larger than 2000 bytes",
    ]


def test_a_file_of_256_kb_is_served_and_a_larger_one_is_not(tmp_path: Path) -> None:
    rest = 262_144 - len(prompty("{{ticket}}"))
    put(tmp_path, DRAFT, prompty("x" * rest + "{{ticket}}"))
    assert names(load_library(tmp_path)) == {TRIAGE: ["draft"]}
    put(tmp_path, DRAFT, prompty("x" * (rest + 1) + "{{ticket}}"))
    library = load_library(tmp_path)
    assert names(library) == {}
    assert sentences(library) == [f"{DRAFT}: cannot be read: is larger than 262144 bytes"]


def test_a_missing_fragment_and_one_behind_a_link_out_of_the_folder_are_problems_of_the_file(tmp_path: Path) -> None:
    root = tmp_path / "prompts"
    put(root, DRAFT, prompty(TONE))
    put(root, "a/b/draft.prompty")
    secret = put(tmp_path, "secret.md", "secret")
    assert names(load_library(root)) == {"a/b": ["draft"]}
    (root / "_fragments").mkdir()
    (root / "_fragments/tone.md").symlink_to(secret)
    library = load_library(root)
    assert names(library) == {"a/b": ["draft"]}
    assert [problem.file for problem in library.problems] == [DRAFT]


@pytest.mark.parametrize("lines", ["", "support/triage/v1\n", "\xff"])
def test_a_published_version_without_a_line_in_the_lock_is_refused(tmp_path: Path, lines: str) -> None:
    put(tmp_path, V1)
    (tmp_path / FILE).write_bytes(lines.encode("latin-1"))
    library = load_library(tmp_path)
    assert names(library) == {}
    assert f"{V1}: is not in {FILE}: only 'gatehouse prompts publish' makes a published version" in sentences(library)


def test_a_lock_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path, V1)
    (tmp_path / FILE).mkdir()
    assert any(text.startswith(f"{FILE}: cannot be read: ") for text in sentences(load_library(tmp_path)))


def test_a_published_version_whose_bytes_changed_is_refused(tmp_path: Path) -> None:
    two(tmp_path)
    put(tmp_path, V2, prompty("second {{ticket}} "))
    library = load_library(tmp_path)
    assert names(library) == {TRIAGE: ["v1"]}
    (text,) = sentences(library)
    assert text.startswith(f"{V2}: is not what was published under this name")


def test_a_published_version_whose_fragment_changed_is_refused_and_the_fragment_named(tmp_path: Path) -> None:
    two(tmp_path)
    put(tmp_path, "_fragments/tone.md", "Be rude.")
    library = load_library(tmp_path)
    assert names(library) == {TRIAGE: ["v2"]}
    (text,) = sentences(library)
    assert text.startswith(f"{V1}: ")
    assert "_fragments/tone.md" in text


def test_a_line_whose_file_is_missing_is_a_problem(tmp_path: Path) -> None:
    two(tmp_path)
    (tmp_path / V1).unlink()
    library = load_library(tmp_path)
    assert names(library) == {TRIAGE: ["v2"]}
    assert sentences(library) == [f"{FILE}:1: {TRIAGE}/v1 is published, and its file was not found: restore it"]


# What was published and served goes on


def spoil_bytes(root: Path) -> None:
    put(root, V1, prompty("other {{ticket}}"))


def spoil_fragment(root: Path) -> None:
    put(root, "_fragments/tone.md", "Be rude.")


def remove_fragment(root: Path) -> None:
    (root / "_fragments/tone.md").unlink()


def break_file(root: Path) -> None:
    put(root, V1, "---\nhalf")


def remove_file(root: Path) -> None:
    (root / V1).unlink()


def remove_prompt(root: Path) -> None:
    shutil.rmtree(root / TRIAGE)


def remove_line(root: Path) -> None:
    lock = read_lock((root / FILE).read_bytes())
    (root / FILE).write_bytes(write_lock({f"{TRIAGE}/v2": lock.versions[f"{TRIAGE}/v2"].digest}))


def remove_lock(root: Path) -> None:
    (root / FILE).unlink()


def remove_file_and_line(root: Path) -> None:
    remove_line(root)
    remove_file(root)


def change_line_with_bytes(root: Path) -> None:
    spoil_bytes(root)
    seal(root)


def change_line(root: Path) -> None:
    lock = read_lock((root / FILE).read_bytes())
    digests = {name: locked.digest for name, locked in lock.versions.items()}
    (root / FILE).write_bytes(write_lock({**digests, f"{TRIAGE}/v1": "0" * 64}))


def remove_everything(root: Path) -> None:
    shutil.rmtree(root)


def hide_behind_link(root: Path) -> None:
    outside = put(root.parent, "outside.prompty")
    (root / V1).unlink()
    (root / V1).symlink_to(outside)


SPOILERS = [
    spoil_bytes,
    spoil_fragment,
    remove_fragment,
    break_file,
    remove_file,
    remove_prompt,
    remove_line,
    remove_lock,
    remove_file_and_line,
    change_line,
    change_line_with_bytes,
    remove_everything,
    hide_behind_link,
]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__)
def test_a_published_version_goes_on_being_served_whatever_becomes_of_it_on_the_disk(tmp_path: Path, spoil: object) -> None:
    root = tmp_path / "prompts"
    library = two(root)
    assert callable(spoil)
    spoil(root)
    again = load_library(root, library)
    assert again.get(TRIAGE, "v1") is library.get(TRIAGE, "v1")
    assert again.get(TRIAGE, "v2") is library.get(TRIAGE, "v2")
    about = [problem.text for problem in again.problems if problem.file == V1]
    assert any("goes on being served until the gateway restarts" in text for text in about)
    third = load_library(root, again)
    assert third.serves_as(again)


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__)
def test_without_a_library_that_served_it_only_what_was_published_is_served(tmp_path: Path, spoil: object) -> None:
    root = tmp_path / "prompts"
    two(root)
    assert callable(spoil)
    spoil(root)
    library = load_library(root)
    if spoil is change_line_with_bytes:  # nothing is left that could tell
        assert library.get(TRIAGE, "v1") is not None
        assert not library.problems
    else:
        assert library.get(TRIAGE, "v1") is None


def test_once_it_is_restored_nothing_is_wrong(tmp_path: Path) -> None:
    library = two(tmp_path)
    text = (tmp_path / V1).read_text()
    break_file(tmp_path)
    broken = load_library(tmp_path, library)
    put(tmp_path, V1, text)
    again = load_library(tmp_path, broken)
    assert sentences(again) == []
    assert again.get(TRIAGE, "v1") is library.get(TRIAGE, "v1")


def test_a_version_that_was_never_served_does_not_go_on(tmp_path: Path) -> None:
    two(tmp_path)
    spoil_bytes(tmp_path)
    refused = load_library(tmp_path)
    assert load_library(tmp_path, refused).get(TRIAGE, "v1") is None


def test_a_file_that_came_before_its_line_is_served_with_its_line(tmp_path: Path) -> None:
    library = two(tmp_path)
    lock = (tmp_path / FILE).read_bytes()
    put(tmp_path, f"{TRIAGE}/v3.prompty", prompty("third {{ticket}}"))
    before = load_library(tmp_path, library)
    assert names(before) == {TRIAGE: ["v1", "v2"]}
    seal(tmp_path)
    after = load_library(tmp_path, before)
    assert names(after) == {TRIAGE: ["v1", "v2", "v3"]}
    assert sentences(after) == []
    (tmp_path / FILE).write_bytes(lock)
    assert names(load_library(tmp_path, after)) == {TRIAGE: ["v1", "v2", "v3"]}


# Drafts


def test_a_broken_draft_is_not_served_even_where_a_good_one_was(tmp_path: Path) -> None:
    put(tmp_path, DRAFT)
    library = load_library(tmp_path)
    put(tmp_path, DRAFT, "---\nhalf")
    broken = load_library(tmp_path, library)
    assert names(broken) == {}
    assert broken.problems
    put(tmp_path, DRAFT)
    assert names(load_library(tmp_path, broken)) == {TRIAGE: ["draft"]}


def test_a_draft_follows_its_file_and_its_fragments(tmp_path: Path) -> None:
    put(tmp_path, "_fragments/tone.md", "Be kind.")
    put(tmp_path, DRAFT, prompty(TONE))
    library = load_library(tmp_path)
    put(tmp_path, "_fragments/tone.md", "Be brief.")
    changed = load_library(tmp_path, library)
    assert "Be brief." in served(changed, "draft")
    (tmp_path / DRAFT).unlink()
    assert names(load_library(tmp_path, changed)) == {}


def test_a_draft_that_missed_a_fragment_is_served_once_it_is_there(tmp_path: Path) -> None:
    put(tmp_path, DRAFT, prompty(TONE))
    library = load_library(tmp_path)
    assert names(library) == {}
    put(tmp_path, "_fragments/tone.md", "Be kind.")
    assert names(load_library(tmp_path, library)) == {TRIAGE: ["draft"]}


# What did not change


def test_a_file_that_did_not_change_is_not_compiled_again(tmp_path: Path) -> None:
    library = two(tmp_path)
    put(tmp_path, DRAFT)
    first = load_library(tmp_path, library)
    put(tmp_path, DRAFT)
    put(tmp_path, "a/b/draft.prompty")
    second = load_library(tmp_path, first)
    for name in ("v1", "v2", "draft"):
        assert second.get(TRIAGE, name) is first.get(TRIAGE, name)


@pytest.mark.parametrize(("settled_ns", "read_again"), [(0, False), (3_600_000_000_000, True)])
def test_a_file_whose_stamp_is_the_same_is_not_even_read_if_its_times_can_be_trusted(
    tmp_path: Path, settled_ns: int, read_again: bool
) -> None:
    put(tmp_path, DRAFT)
    limits = Limits(settled_ns=settled_ns)
    first = load_library(tmp_path, limits=limits)
    second = load_library(tmp_path, first, limits=limits)
    assert (second.readings[DRAFT] is not first.readings[DRAFT]) is read_again
    assert second.get(TRIAGE, "draft") is first.get(TRIAGE, "draft")


def test_a_change_of_the_same_size_within_the_same_moment_is_seen(tmp_path: Path) -> None:
    path = put(tmp_path, DRAFT, prompty("one {{ticket}}"))
    before = path.stat()
    library = load_library(tmp_path)
    with path.open("r+b") as opened:
        opened.write(prompty("two {{ticket}}").encode())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "two" in served(load_library(tmp_path, library), "draft")


# Seeds
