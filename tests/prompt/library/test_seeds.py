from __future__ import annotations

import pytest

from gateway.prompt.library.seeds import Seed, read_seeds

FILE = "support/triage/labels.yaml"


def lines(data: bytes) -> tuple[dict[str, Seed], list[int]]:
    labels, problems = read_seeds(FILE, data)
    assert {problem.file for problem in problems} <= {FILE}
    return dict(labels), [problem.line for problem in problems]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"\xff", 0),
        (b"a: [", 1),
        (b"\nproduction: v1\n\tx", 3),
        (b"a: \x01", 0),
        (b"- v1", 1),
        (b"production", 1),
        (b"[" * 5000, 0),
        (b"#" * 20_000, 0),
        (b"\n".join(b"l%d: v1" % number for number in range(65)), 1),
    ],
    ids=["not UTF-8", "cut", "tab", "control", "list", "text", "deep", "large", "many"],
)
def test_a_file_that_is_no_mapping_of_labels_seeds_nothing(data: bytes, line: int) -> None:
    assert lines(data) == ({}, [line])


@pytest.mark.parametrize(
    "wrong",
    [b"v7: v1", b"draft: v1", b"Upper: v1", b"[a]: v1", b"a: latest", b"a: draft", b"a: 7", b"a: [v1]", b"a:", b"good: v2"],
)
def test_what_is_wrong_with_one_label_leaves_the_others_alone(wrong: bytes) -> None:
    assert lines(b"good: v1\n" + wrong + b"\nother: v3\n") == ({"good": Seed("v1", 1), "other": Seed("v3", 3)}, [2])


@pytest.mark.parametrize("data", [b"", b"# none yet\n"])
def test_an_empty_file_seeds_nothing(data: bytes) -> None:
    assert lines(data) == ({}, [])


def test_an_alias_is_followed_and_grows_nothing() -> None:
    assert lines(b"a: &v v1\nb: *v\n")[0] == {"a": Seed("v1", 1), "b": Seed("v1", 2)}
