from __future__ import annotations

from typing import Any

from gateway.prompt.file.document import read_document
from gateway.prompt.file.fields import Fields
from gateway.prompt.file.report import Report


def _fields(text: str, *known: str, retired: dict[str, str] | None = None) -> tuple[Fields, Report]:
    document = read_document("f", text, first_line=1)
    report = Report("f", document)
    return Fields(report, (), document.value, known=known, retired=retired), report


def _said(report: Report) -> list[str]:
    return [f"{problem.line}: {problem.text}" for problem in report.problems]


def test_unknown_empty_and_retired_keys_are_told_and_read_as_absent() -> None:
    fields, report = _fields("nmae: x\nname:\ndefault:\nold: 1", "name", "default", retired={"old": "is old: write new"})
    assert _said(report) == [
        '1: nmae is no key of a prompt: did you mean "name"?',
        "2: name is empty: give it a value or leave it out",
        "4: old is old: write new",
    ]
    assert ("name" in fields, "default" in fields, "old" in fields, "nmae" in fields) == (False, True, False, False)
    assert fields.raw("default", 1) is None
    assert fields.raw("name", 1) == 1


def test_what_is_no_mapping_is_told_and_read_as_an_empty_one() -> None:
    fields, report = _fields("a: [1]", "a")
    below = fields.below("a", known=("b",))
    assert "b" not in below
    assert _said(report) == ["1: a must be a mapping of keys to values"]
    assert fields.below("c", known=("b",)).text("b") == ""
    assert len(report.problems) == 1


def test_values_are_returned_as_they_stand() -> None:
    fields, report = _fields("t: x\ni: 3\nf: false\nw: two\ns: [1]\nm: {k: v}", *"tifwsm")
    got: list[Any] = [
        fields.text("t"),
        fields.integer("i", least=3, default=9),
        fields.flag("f", default=True),
        fields.word("w", ("one", "two"), default="one"),
        fields.sequence("s"),
        fields.below("m", known=("k",)).text("k"),
    ]
    assert got == ["x", 3, False, "two", [1], "v"]
    assert report.problems == []


def test_defaults_stand_in_for_absent_values_without_a_word() -> None:
    fields, report = _fields("{}", *"tifws")
    assert fields.text("t") == ""
    assert fields.integer("i", least=1, default=9) == 9
    assert fields.flag("f", default=True) is True
    assert fields.word("w", ("one", "two"), default="two") == "two"
    assert fields.sequence("s") == []
    assert report.problems == []


def test_wrong_types_are_told_and_read_as_the_default() -> None:
    fields, report = _fields("t: 1\ni: true\nj: 2\nk: 1.0\nf: 1\nw: tow\nx: 5\ns: a\nu: abc", *"tijkfwxsu")
    assert fields.text("t") == ""
    assert fields.integer("i", least=0, default=9) == 9
    assert fields.integer("j", least=3, default=9) == 9
    assert fields.integer("k", least=0, default=9) == 9
    assert fields.flag("f", default=True) is True
    assert fields.word("w", ("one", "two"), default="one") == "one"
    assert fields.word("x", ("one", "two"), default="one") == "one"
    assert fields.sequence("s") == []
    fields.text("u", most=2)
    assert _said(report) == [
        "1: t must be a text: put it in quotes",
        "2: i must be an integer of at least 0",
        "3: j must be an integer of at least 3",
        "4: k must be an integer of at least 0",
        "5: f must be true or false",
        '6: w must be one or two: did you mean "two"?',
        "7: x must be one or two",
        "8: s must be a list",
        "9: u has more than 2 characters",
    ]


def test_a_required_key_that_is_missing_is_told_at_the_mapping() -> None:
    fields, report = _fields("a:\n  b: 1", "a")
    below = fields.below("a", known=("b", "c"))
    assert below.required("b")
    assert not below.required("c")
    assert _said(report) == ["1: a has no c: add it"]
