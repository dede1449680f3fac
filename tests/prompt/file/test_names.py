from __future__ import annotations

import pytest

from gateway.prompt.file.names import is_id, is_label, is_name, is_version, number_of

LONGEST = "a" * 64


@pytest.mark.parametrize("text", ["a", "0", "support", "a_b-c", "v7", LONGEST])
def test_a_name_is_up_to_64_small_letters_digits_underscores_and_hyphens(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize("text", ["", "_a", "-a", "A", "a b", "a/b", "a.b", "a\n", "é", "..", LONGEST + "a"])
def test_nothing_else_is_a_name(text: str) -> None:
    assert not is_name(text)
    assert not is_label(text)


@pytest.mark.parametrize(
    ("text", "fits"), [("support/triage", True), ("a/b/c", False), ("a", False), ("/a", False), ("a/b\n", False)]
)
def test_an_id_is_a_namespace_and_a_name(text: str, fits: bool) -> None:
    assert is_id(text) is fits


@pytest.mark.parametrize("text", ["v0", "v01", "v", "V1", "v1.0", "v1000000", "v\u0661", "v1\n", "draft"])
def test_a_version_is_a_v_and_a_number_without_leading_zeros(text: str) -> None:
    assert is_version("v1")
    assert is_version("v999999")
    assert not is_version(text)


@pytest.mark.parametrize("text", ["v7", "v0", "v007", "v10000000", "draft"])
def test_a_label_never_looks_like_a_version_and_is_not_draft(text: str) -> None:
    assert is_label("production")
    assert is_label("v7-hotfix")
    assert not is_label(text)


def test_a_version_has_its_number() -> None:
    assert number_of("v12") == 12
