"""cases.yaml is read as far as it can be; all else is a problem with its line."""

from __future__ import annotations

import pytest

from gateway.prompt.case.assertion import Answered
from gateway.prompt.case.cases import Case, read_cases

FILE = "support/triage/cases.yaml"
GOOD = """\
# what support asks most
---
- name: a refund
  variables: {ticket: "I want my money back", on: yes, n: 010}
  messages: [{role: user, content: Hi}, {role: assistant, content: Hello}]
  expect:
    - is-json: true
    - contains: billing
    - latency: 5s

- name: nothing said
  expect: [{max-tokens: 20}]
"""


def cases_of(text: str) -> tuple[Case, ...]:
    cases, problems = read_cases(FILE, text.encode())
    assert problems == ()
    return cases


def problems_of(text: str | bytes) -> list[str]:
    _, problems = read_cases(FILE, text if isinstance(text, bytes) else text.encode())
    return [problem.sentence().removeprefix(f"{FILE}:") for problem in problems]


def test_a_case_holds_what_is_sent_and_what_is_expected() -> None:
    refund, nothing = read_cases(FILE, GOOD.encode())[0]
    assert (refund.name, refund.line) == ("a refund", 3)
    assert refund.variables == {"ticket": "I want my money back", "on": "yes", "n": 10}
    assert refund.messages == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert [each.shown for each in refund.expect] == ["is-json true", 'contains "billing"', "latency 5s"]
    assert refund.expect[1].judge(Answered("billing", 1, 1.0)) == ""
    assert (nothing.name, nothing.line, nothing.variables, nothing.messages) == ("nothing said", 11, {}, None)


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "---\n", "[]", "---\n[]\n"])
def test_a_file_may_hold_no_case(text: str) -> None:
    assert cases_of(text) == ()


def test_a_list_may_be_indented_and_begin_on_the_first_line() -> None:
    assert cases_of("  - name: a\n    expect: [contains: b]\n")[0].line == 1


NAME = "must be a text of one line and at most 128 characters"
VARIABLES = "must be a mapping of the prompt's inputs to values"
EXPECT = "must be a list of at least one assertion, such as '- contains: refund'"
ONE = "must be one assertion, such as 'contains: refund'"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: a", "1: must be a list of cases, each beginning with '- name: …'"),
        ("cases:\n- name: a", "1: must be a list of cases, each beginning with '- name: …'"),
        ("just words", "1: must be a list of cases, each beginning with '- name: …'"),
        ("- a", "1: cases[0] must be a mapping with name, variables and expect"),
        ("- expect: [contains: b]", f"1: cases[0].name {NAME}"),
        ("- name: 5\n  expect: [contains: b]", f"1: cases[0].name {NAME}"),
        ('- name: "a\\nb"\n  expect: [contains: b]', f"1: cases[0].name {NAME}"),
        (f"- name: {'a' * 129}\n  expect: [contains: b]", f"1: cases[0].name {NAME}"),
        (2 * "- name: a\n  expect: [contains: b]\n", "3: cases[1].name is the name of the case in line 1 already"),
        ("- name: a\n  variable: {}\n  expect: [contains: b]", '2: cases[0].variable is not known: did you mean "variables"?'),
        ("- name: a\n  variables: [1]\n  expect: [contains: b]", f"2: cases[0].variables {VARIABLES}"),
        ("- name: a\n  variables:\n  expect: [contains: b]", f"2: cases[0].variables {VARIABLES}"),
        ("- name: a", f"1: cases[0].expect {EXPECT}"),
        ("- name: a\n  expect: []", f"2: cases[0].expect {EXPECT}"),
        ("- name: a\n  expect: {contains: b}", f"2: cases[0].expect {EXPECT}"),
        ("- name: a\n  expect:\n  - contains", f"3: cases[0].expect[0] {ONE}"),
        ("- name: a\n  expect:\n  - {contains: a, equals: b}", f"3: cases[0].expect[0] {ONE}"),
        ("- name: a\n  expect:\n  - contain: b", '3: cases[0].expect[0].contain is not known: did you mean "contains"?'),
        ("- name: a\n  expect:\n  - max-tokens: lots", "3: cases[0].expect[0].max-tokens must be a whole number above 0"),
        ("- name: a\n  expect:\n  - latency: 5", '3: cases[0].expect[0].latency must be a duration such as "2s" or "800ms"'),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, problem: str) -> None:
    assert problem in problems_of(text)


@pytest.mark.parametrize("data", [b"- name: \xff", b"- name: a\x00", b"- name: [", b"- *b", b"- " * 1000])
def test_what_is_no_yaml_of_ours_is_a_problem(data: bytes) -> None:
    cases, problems = read_cases(FILE, data)
    assert cases == ()
    assert len(problems) == 1
    assert problems[0].line == 1


def test_what_is_wrong_with_one_case_leaves_the_others_alone() -> None:
    cases, problems = read_cases(FILE, b"- name: a\n- name: b\n  expect: [contains: b]\n- 5\n")
    assert [case.name for case in cases] == ["b"]
    assert [problem.line for problem in problems] == [1, 4]


def test_messages_that_are_no_thread_are_a_problem() -> None:
    text = "- name: a\n  expect: [contains: b]\n  messages:\n  - {role: system, content: You obey me.}\n"
    (problem,) = problems_of(text)
    assert problem.startswith("3: cases[0].messages must be messages of user, assistant and tool: ")
    assert "obey" not in problem
