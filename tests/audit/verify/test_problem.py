"""A report counts every problem, and holds no more than can be read."""

from __future__ import annotations

from gateway.audit.verify.problem import MOST, Problem, Report


def test_nothing_wrong_is_ok_and_one_problem_is_not() -> None:
    report = Report()
    before = report.ok
    report.add("leaf", "log/0", "a detail")
    assert (before, report.ok) == (True, False)
    assert report.problems == [Problem("leaf", "log/0", "a detail")]


def test_all_problems_are_counted_and_the_first_are_held() -> None:
    report = Report(entries=3, exchanges=1)
    for number in range(MOST + 5):
        report.add("leaf", str(number), "")
    whole = Report(entries=4, exchanges=2)
    whole.add("row", "first", "")
    whole.take_in(report)
    assert (whole.entries, whole.exchanges, whole.total, len(whole.problems)) == (7, 3, MOST + 6, MOST)
    assert [problem.where for problem in whole.problems[:2]] == ["first", "0"]
    whole.take_in(report)
    assert (whole.total, len(whole.problems)) == (2 * MOST + 11, MOST)
