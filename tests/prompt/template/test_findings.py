from __future__ import annotations

import pytest

from gateway.prompt.file.problem import Problem, PromptInvalid
from gateway.prompt.template.findings import MOST, Findings


def _where(line: int) -> tuple[str, int]:
    return "a/b/draft.prompty", line + 10


def test_an_error_is_raised_with_file_and_line() -> None:
    findings = Findings(_where)
    findings.add(3, "wrong")
    with pytest.raises(PromptInvalid) as caught:
        findings.settle()
    assert caught.value.problems == (Problem("a/b/draft.prompty", 13, "wrong"),)


def test_a_problem_of_the_whole_file_has_no_line() -> None:
    findings = Findings(_where)
    findings.add(0, "wrong")
    with pytest.raises(PromptInvalid) as caught:
        findings.settle()
    assert caught.value.problems[0].line == 0


def test_warnings_alone_are_returned() -> None:
    findings = Findings(_where)
    findings.add(2, "odd", "warning")
    findings.add(1, "odd", "warning")
    assert [problem.line for problem in findings.settle()] == [11, 12]
    assert findings.count == 2


def test_an_error_brings_the_warnings_along() -> None:
    findings = Findings(_where)
    findings.add(2, "odd", "warning")
    findings.add(1, "wrong")
    with pytest.raises(PromptInvalid) as caught:
        findings.settle()
    assert [problem.text for problem in caught.value.problems] == ["wrong", "odd"]


def test_nobody_reads_on_after_many_problems() -> None:
    findings = Findings(_where)
    with pytest.raises(PromptInvalid) as caught:
        for line in range(10 * MOST):
            findings.add(line, "wrong")
    assert len(caught.value.problems) == MOST
