from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt.library.lock import Locked, read_lock, write_lock

ONE, TWO = "1" * 64, "a" * 64


@pytest.mark.parametrize(
    "line",
    [
        "support/triage/v1",
        f"support/triage/v1  {ONE}",
        f"support/triage/v1 {ONE} ",
        f"support/triage/v1 {ONE[1:]}",
        f"support/triage/v1 {TWO.upper()}",
        f"support/triage/draft {ONE}",
        f"support/triage/v0 {ONE}",
        f"triage/v1 {ONE}",
        f"../triage/v1 {ONE}",
        "<<<<<<< HEAD",
    ],
)
def test_a_line_that_cannot_be_read_is_a_problem_of_its_own(line: str) -> None:
    lock = read_lock(f"{line}\nsupport/triage/v2 {TWO}\n".encode())
    assert dict(lock.versions) == {"support/triage/v2": Locked(TWO, 2)}
    assert [(problem.file, problem.line) for problem in lock.problems] == [("prompts.lock", 1)]


def test_a_file_that_is_not_utf_8_locks_nothing() -> None:
    lock = read_lock(b"\xff")
    assert not lock.versions
    assert "UTF-8" in lock.problems[0].text


def test_a_version_that_is_named_twice_with_two_digests_counts_as_not_published() -> None:
    lock = read_lock(f"a/b/v1 {ONE}\na/b/v2 {ONE}\na/b/v1 {TWO}\na/b/v1 {ONE}\n".encode())
    assert set(lock.versions) == {"a/b/v2"}
    assert [problem.line for problem in lock.problems] == [3, 4]


def test_the_same_line_twice_is_a_problem_and_counts() -> None:
    lock = read_lock(f"a/b/v1 {ONE}\na/b/v1 {ONE}\n".encode())
    assert lock.versions["a/b/v1"].digest == ONE
    assert [problem.line for problem in lock.problems] == [2]


@pytest.mark.parametrize("text", ["", "\n", f"a/b/v1 {ONE}", f"\r\na/b/v1 {ONE}\r\n"])
def test_blank_lines_a_missing_last_newline_and_crlf_are_no_problem(text: str) -> None:
    assert not read_lock(text.encode()).problems


def test_lines_are_written_in_order_each_with_its_newline() -> None:
    assert write_lock({"b/a/v1": ONE, "a/b/v10": TWO, "a/b/v2": ONE}) == f"a/b/v10 {TWO}\na/b/v2 {ONE}\nb/a/v1 {ONE}\n".encode()


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9][a-z_-]{0,5}/[a-z0-9][a-z_-]{0,5}/v[1-9][0-9]{0,2}", fullmatch=True),
        st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    )
)
def test_what_is_written_is_read(digests: dict[str, str]) -> None:
    lock = read_lock(write_lock(digests))
    assert {name: locked.digest for name, locked in lock.versions.items()} == digests
    assert not lock.problems


@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    read_lock(data)
