from __future__ import annotations

import time

from gateway.prompt.file.document import read_document
from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import Problem
from gateway.prompt.file.report import Report
from tests.prompt.file.front import problems


def test_a_problem_stands_at_the_line_of_its_key_or_of_the_nearest_around_it() -> None:
    report = Report("f", read_document("f", "a:\n  b:\n    - c: 1\n", first_line=2))
    report.add(("a", "b", 0, "c"), "is wrong")
    report.add(("a", "b", 0, "d", "e"), "is missing", "warning")
    report.add((), "is bad")
    assert report.problems == [
        Problem("f", 4, "a.b[0].c is wrong"),
        Problem("f", 4, "a.b[0].d.e is missing", "warning"),
        Problem("f", 2, "the front matter is bad"),
    ]


def test_problems_of_the_document_come_first() -> None:
    report = Report("f", read_document("f", "a: 1\na: 2\n", first_line=2))
    assert [problem.text for problem in report.problems] == ["a is given twice: it stands in line 2 already"]


def test_an_unknown_key_is_told_with_the_nearest_known_one() -> None:
    report = Report("f", read_document("f", "metadata:\n  inptus: 1\n", first_line=2))
    report.unknown(("metadata", "inptus"), ("inputs", "outputs"), noun="key of a prompt")
    report.unknown(("metadata", "zzz"), ("inputs", "outputs"), noun="key of a prompt")
    report.unknown(("metadata", "inptus"), ("a", "b"), noun="letter", name="c")
    assert [problem.text for problem in report.problems] == [
        'metadata.inptus is no key of a prompt: did you mean "inputs"?',
        "metadata.zzz is no key of a prompt: known: inputs, outputs",
        "metadata.inptus is no letter: known: a, b",
    ]


def test_there_is_an_end_to_what_is_told() -> None:
    report = Report("f", read_document("f", "a: 1\n", first_line=2))
    for number in range(LIMITS.problems + 5):
        assert report.full == (number > LIMITS.problems)
        report.add(("a",), f"is wrong in way {number}")
    report.unknown(("a",), ("b",), noun="key")
    assert len(report.problems) == LIMITS.problems + 1
    assert report.problems[-1] == Problem("f", 2, "the front matter has more that is wrong")


def test_ten_thousand_wrong_keys_do_not_take_long() -> None:
    keys = [f"k{number:04}: 1" for number in range(5000)]
    began = time.process_time()
    found = problems("\n".join(keys))
    took = time.process_time() - began
    assert len(found) == LIMITS.problems + 1
    assert took < 1
