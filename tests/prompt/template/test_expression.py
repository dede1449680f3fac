from __future__ import annotations

import re

import pytest

from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.template.expression import STRICT, Expression, Reader
from gateway.prompt.template.filters import FILTERS
from gateway.prompt.template.findings import Findings
from gateway.prompt.template.limits import RENDER_LIMITS
from gateway.prompt.template.pieces import Tag, read_pieces
from gateway.prompt.template.scope import Scope

INPUTS = ("ticket", "docs", "history")


def _read(text: str, *, condition: bool = False) -> tuple[Expression, list[str]]:
    """Return a checked expression, and what is wrong with it."""
    findings = Findings(lambda line: ("f", line))
    (tag,) = read_pieces(f"{{{{ {text} }}}}", findings, RENDER_LIMITS)
    assert isinstance(tag, Tag)
    reader = Reader(Scope(INPUTS), {"history"}, findings, RENDER_LIMITS)
    try:
        expression = reader.read(tag.tokens, tag.line, condition=condition)
        findings.settle()
    except PromptInvalid as invalid:
        return expression, [problem.text for problem in invalid.problems]
    return expression, []


def _faults(text: str) -> list[str]:
    return _read(text)[1]


@pytest.mark.parametrize(
    "text",
    [
        "ticket",
        "docs[0].title",
        'docs[-1]["title"]',
        "docs[1:-1]",
        "docs[::2]",
        "ticket.upper().strip()",
        'docs[0].get("items", [])',
        "docs|length > 3 and not ticket",
        "ticket is defined and ticket is not none",
        "ticket in ['a', \"b\"]",
        "ticket is divisibleby 2",
        "ticket is divisibleby(2)",
        "'a' 'b'",
        "{'a': ticket, 'b': [1, 2.5]}",
        "ticket if docs else 'x'",
        "range(3)|join",
        "(ticket ~ docs|length) + 1 - 2 / 3 // 4 % 5",
        "-1 < docs|length <= 3",
        "true and False or None is none",
        "not ticket and (not docs) or [not ticket] is sequence",
        "(ticket is defined) if docs|length if docs is defined else 1",
        "(ticket) not in docs and docs[0] not in docs and 'a' not in docs and {} not in docs",
        "(ticket is odd) in docs and ticket is in docs and ticket not in docs",
    ],
)
def test_what_the_language_has_is_taken(text: str) -> None:
    expression, faults = _read(text)
    assert not faults
    assert expression.source


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ticket.__class__", "'__class__' cannot be read as a field"),
        ("ticket._x", "'_x' cannot be read as a field"),
        ('docs["__class__"]', "'__class__' cannot be read as a field"),
        ("docs.items", "'items' cannot be read as a field; write .get(\"items\")"),
        ('docs["values"]', "'values' cannot be read as a field; write .get(\"values\")"),
        ("docs[ticket]", "an index is a number or a quoted name; with a variable write .get(variable)"),
        ("docs[(0)]", "an index is a number or a quoted name; with a variable write .get(variable)"),
        ("docs[docs|length]", "an index is a number or a quoted name; with a variable write .get(variable)"),
        ("docs.append(1)", "unknown method 'append'"),
        ("docs.clear()", "unknown method 'clear'"),
        ("ticket.format(1)", "unknown method 'format'"),
        ("ticket|attr('x')", "unknown filter 'attr'"),
        ("ticket|nonesuch", "unknown filter 'nonesuch'"),
        ("ticket is callable", "unknown test 'callable'"),
        ("ticket is not nonesuch", "unknown test 'nonesuch'"),
        ("ticket is None", "unknown test 'None'"),
        ("tiket", "'tiket' is not declared under inputs; did you mean 'ticket'?"),
        ("nonesuch", "'nonesuch' is not declared under inputs"),
        ("_given", "'_given' is not declared under inputs"),
        ("loop.index", "'loop' is not declared under inputs"),
        ("self", "'self' is not declared under inputs"),
        ("ticket()", "only filters, tests, range and the known methods can be called"),
        ("(ticket)()", "only filters, tests, range and the known methods can be called"),
        ("docs[0]()", "only filters, tests, range and the known methods can be called"),
        ("'a'()", "only filters, tests, range and the known methods can be called"),
        ("docs.upper()()", "only filters, tests, range and the known methods can be called"),
        ("true()", "only filters, tests, range and the known methods can be called"),
        ("range", "'range' is a function: range(…)"),
        ("ticket * 2", "'*' is not available"),
        ("2 ** 3", "'**' is not available"),
        ("ticket.upper(*docs)", "'*' is not available"),
        ("1 - not (ticket)", "put brackets around what stands behind 'not'"),
        ("ticket in not docs", "put brackets around what stands behind 'not'"),
        ("ticket < not docs", "put brackets around what stands behind 'not'"),
        ("ticket is odd in docs", "put brackets around what stands before 'in'"),
        ("ticket is odd not in docs", "put brackets around what stands before 'not'"),
        ("ticket is defined if docs else 1", "put brackets around what stands before 'if'"),
        ("(ticket", "a bracket is not closed"),
        ("ticket)", "unexpected ')'"),
        ("(ticket]", "unexpected ']'"),
        ("{docs[0}]", "unexpected '}'"),
        ("ticket = 1", "unexpected 'ticket ='"),
        ("1 = 1", "unexpected '='; a comparison is written '=='"),
        ("ticket|default(_x=1)", "unexpected '_x ='"),
        ("(ticket=1)", "unexpected 'ticket ='"),
        (".x", "unexpected '.'"),
        ("docs.0", "unexpected '.'"),
        ("docs.", "unexpected '.'"),
        ("|upper", "unexpected '|'"),
        ("ticket|", "unexpected '|'"),
        ("ticket|upper.lower", "unexpected '.'"),
        ("ticket is string.lower", "unexpected '.'"),
        ("and.x", "unexpected '.'"),
        ("history", "'history' is a thread: it stands alone on a line, or in a condition by itself"),
        (" ~ ".join(["ticket"] * 65), "the values may stand in this expression more than 64 times"),
    ],
)
def test_what_reaches_too_far_is_refused(text: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in _faults(text)), _faults(text)


def test_an_expression_may_not_be_missing() -> None:
    findings = Findings(lambda line: ("f", line))
    Reader(Scope([]), frozenset(), findings, RENDER_LIMITS).read([], 4)
    with pytest.raises(PromptInvalid, match="f:4: an expression is missing"):
        findings.settle()


@pytest.mark.parametrize(
    "text", ["history", "not history", "history and docs", "history|length > 2", "history|count", "(history)"]
)
def test_a_condition_may_test_a_thread(text: str) -> None:
    assert _read(text, condition=True)[1] == []


@pytest.mark.parametrize("text", ["history[0]", "history.x", "history|tojson", "history|first", "history[0].content == 'x'"])
def test_a_condition_may_not_look_into_a_thread(text: str) -> None:
    assert any("is a thread" in fault for fault in _read(text, condition=True)[1])


def test_the_engine_gets_words_and_nothing_else() -> None:
    assert _read("docs  [ 0 ].title|default( 'a\\'b' )\n~ticket")[0].source == 'docs [ 0 ] . title | default ( "a\'b" ) ~ ticket'


@pytest.mark.parametrize("name", sorted(STRICT))
def test_a_filter_that_takes_the_missing_for_something_empty_is_led_by_one_that_does_not(name: str) -> None:
    assert name in FILTERS
    assert re.fullmatch(rf"ticket \| _given \| {name}", _read(f"ticket|{name}")[0].source)


@pytest.mark.parametrize(
    ("text", "copies"), [("'a'", 0), ("ticket", 1), ("ticket ~ docs", 2), ("[docs, docs]|join(ticket)", 3), ("docs.title", 1)]
)
def test_it_is_known_how_often_the_values_stand_in_a_result(text: str, copies: int) -> None:
    assert _read(text)[0].copies == copies


def test_a_quoted_word_is_no_word_of_the_language() -> None:
    assert _faults("'*' ~ '(' ~ '|' ~ 'is' ~ '__class__' ~ 'loop'") == []
    assert _faults('ticket.get("(") == ")"') == []
