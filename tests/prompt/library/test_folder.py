from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gateway.prompt.library.folder import Folder, Limits, shown, stamp_of


def put(root: Path, file: str, data: bytes = b"x") -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def wrongs(root: Path) -> list[str]:
    return [problem.sentence() for problem in Folder(root).list().problems]


def found(root: Path) -> dict[str, list[str]]:
    return {prompt.id: list(prompt.versions) for prompt in Folder(root).list().prompts}


def test_a_link_that_leaves_the_folder_is_a_problem_and_is_not_followed(tmp_path: Path) -> None:
    outside = put(tmp_path, "outside/v1.prompty", b"secret")
    root = tmp_path / "prompts"
    put(root, "support/triage/v2.prompty")
    (root / "support/triage/v1.prompty").symlink_to(outside)
    (root / "support/linked").symlink_to(outside.parent)
    (root / "linked").symlink_to(tmp_path)
    assert found(root) == {"support/triage": ["v2"]}
    assert {text.partition(":")[0] for text in wrongs(root)} == {"support/triage/v1.prompty", "support/linked", "linked"}
    with pytest.raises(OSError, match="leads out of the folder"):
        Folder(root).read("support/triage/v1.prompty")
    with pytest.raises(OSError, match="leads out of the folder"):
        Folder(root).read("../outside/v1.prompty")


def test_a_link_to_nowhere_or_to_itself_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("missing")
    (tmp_path / "b").symlink_to("b")
    assert [text.partition(":")[0] for text in wrongs(tmp_path)] == ["a", "b"]
    assert wrongs(tmp_path / "b") == [".: cannot be read: Too many levels of symbolic links"]


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    put(tmp_path, "..data/support/triage/v1.prompty", b"text")
    (tmp_path / "support").symlink_to("..data/support")
    assert found(tmp_path) == {"support/triage": ["v1"]}
    assert Folder(tmp_path).read("support/triage/v1.prompty")[0] == b"text"


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    put(tmp_path, "release/a/b/v1.prompty")
    (tmp_path / "prompts").symlink_to("release")
    assert found(tmp_path / "prompts") == {"a/b": ["v1"]}


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    put(tmp_path, "a/b/v1.prompty")
    os.mkfifo(tmp_path / "a/b/v2.prompty")
    (tmp_path / "a/b/v3.prompty").mkdir()
    folder = Folder(tmp_path)
    for version in ("v2", "v3"):
        with pytest.raises(OSError, match=r"regular file|directory"):
            folder.read(f"a/b/{version}.prompty")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match="No such device"):
            folder.read("s")


def test_no_more_of_a_file_is_read_than_the_limit(tmp_path: Path) -> None:
    put(tmp_path, "a/b/v1.prompty", b"x" * 11)
    put(tmp_path, "a/b/v2.prompty", b"x" * 10)
    folder = Folder(tmp_path, limits=Limits(file_bytes=10))
    with pytest.raises(OSError, match="is larger than 10 bytes"):
        folder.read("a/b/v1.prompty")
    assert folder.read("a/b/v2.prompty")[0] == b"x" * 10


def test_of_too_many_files_the_first_are_looked_at_and_the_rest_is_a_problem(tmp_path: Path) -> None:
    for name in "abcd":
        put(tmp_path, f"a/{name}/v1.prompty")
    listing = Folder(tmp_path, limits=Limits(files=7)).list()
    assert [prompt.id for prompt in listing.prompts] == ["a/a", "a/b"]
    assert [problem.sentence() for problem in listing.problems] == [
        ".: holds more than 7 files and folders; the others were not looked at"
    ]
    assert not Folder(tmp_path, limits=Limits(files=9)).list().problems


def test_a_name_that_breaks_the_rule_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path, "Support/triage/v1.prompty")
    put(tmp_path, "support/my triage/v1.prompty")
    put(tmp_path, "support/_old/v1.prompty")
    os.makedirs(os.fsencode(tmp_path) + b"/bad\xff\x1b[2J")  # noqa: PTH103  # such a name is no text
    assert found(tmp_path) == {}
    assert [text.partition(":")[0] for text in wrongs(tmp_path)] == [
        "Support",
        "bad\\udcff\\x1b[2J",
        "support/_old",
        "support/my triage",
    ]


def test_a_prompty_file_where_none_belongs_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path, "lost.prompty")
    put(tmp_path, "support/lost.prompty")
    put(tmp_path, "support/triage/v01.prompty")
    put(tmp_path, "support/triage/Draft.prompty")
    assert [text.partition(":")[0] for text in wrongs(tmp_path)] == [
        "lost.prompty",
        "support/lost.prompty",
        "support/triage/Draft.prompty",
        "support/triage/v01.prompty",
    ]


def test_other_files_and_hidden_ones_are_left_alone(tmp_path: Path) -> None:
    for file in (
        "README.md",
        ".git/x/y.prompty",
        "_fragments/tone.md",
        "a/_fragments/b.md",
        "a/b/cases.yaml",
        "a/b/.v1.prompty.new",
    ):
        put(tmp_path, file)
    put(tmp_path, "a/b/notes/v1.prompty")
    assert found(tmp_path) == {"a/b": []}
    assert wrongs(tmp_path) == []


def test_versions_come_in_the_order_of_their_numbers_and_the_draft_last(tmp_path: Path) -> None:
    for version in ("draft", "v10", "v2", "v1"):
        put(tmp_path, f"a/b/{version}.prompty")
    put(tmp_path, "a/b/labels.yaml")
    (prompt,) = Folder(tmp_path).list().prompts
    assert list(prompt.versions) == ["v1", "v2", "v10", "draft"]
    assert prompt.labels is not None
    assert prompt.labels.file == "a/b/labels.yaml"


def test_a_folder_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    listing = Folder(tmp_path / "missing").list()
    assert (listing.prompts, listing.problems) == ((), ())


def test_a_file_in_the_place_of_the_folder_is_a_problem(tmp_path: Path) -> None:
    assert wrongs(put(tmp_path, "prompts")) == [".: cannot be read: Not a directory"]


def test_a_stamp_is_trusted_only_when_the_file_has_been_left_alone_for_a_while(tmp_path: Path) -> None:
    path = put(tmp_path, "a/b/v1.prompty")
    found = path.stat()
    assert stamp_of(found, settled_ns=3_600_000_000_000) is None
    stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    assert stamp_of(found, settled_ns=0) == stamp
    os.utime(path, (1, 1))  # an old time of the content, and a new one of the inode, which nobody can set
    assert stamp_of(path.stat(), settled_ns=3_600_000_000_000) is None


@pytest.mark.parametrize(("name", "expected"), [("plain-é", "plain-é"), ("a\x1b[2Jb", "a\\x1b[2Jb"), ("\udcff", "\\udcff")])
def test_a_name_is_shown_so_that_no_terminal_obeys_it(name: str, expected: str) -> None:
    assert shown(name) == expected
