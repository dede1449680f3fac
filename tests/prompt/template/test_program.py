from __future__ import annotations

import pytest

from gateway.prompt.template.findings import Findings
from gateway.prompt.template.layout import Program
from gateway.prompt.template.limits import RENDER_LIMITS
from gateway.prompt.template.pieces import read_pieces
from gateway.prompt.template.program import TICK, Demand, write_program
from tests.prompt.template.bodies import compiled, refused, rendered, said

KINDS = {"docs": "array", "note": "string", "history": "thread"}
USED = "{{ docs|length }}{{ note }}"
THREAD = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def _program(body: str) -> Program:
    findings = Findings(lambda line: ("f", line))
    pieces = read_pieces(body, findings, RENDER_LIMITS)
    program = write_program(pieces, Demand(KINDS, RENDER_LIMITS, "<nonce>", lambda _: None), findings)
    if findings.count:
        findings.settle()
    return program


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("x{% include 'a' %}", (1, "unknown statement 'include'; known are for, if, set, break, continue, raw")),
        ("x{% import 'a' as b %}", (1, "unknown statement 'import'; known are for, if, set, break, continue, raw")),
        ("x{% 'for' %}", (1, "unknown statement 'for'; known are for, if, set, break, continue, raw")),
        ("x{% %}", (1, "unknown statement ''; known are for, if, set, break, continue, raw")),
        ("x\n{% if 1 %}\n", (2, "'if' is not closed: '{% endif %}' is missing")),
        ("x\n\n{% for a in [1] %}", (3, "'for' is not closed: '{% endfor %}' is missing")),
        ("x{% endif %}", (1, "unexpected 'endif'")),
        ("x{% if 1 %}{% endfor %}{% endif %}", (1, "unexpected 'endfor'")),
        ("x{% else %}", (1, "unexpected 'else'")),
        ("x{% elif 1 %}", (1, "unexpected 'elif'")),
        ("x{% if 1 %}{% else %}{% else %}{% endif %}", (1, "unexpected 'else'")),
        ("x{% if 1 %}{% else %}{% elif 1 %}{% endif %}", (1, "unexpected 'elif'")),
        ("x{% for a in [1] %}{% elif 1 %}{% endfor %}", (1, "unexpected 'elif'")),
        ("x{% if 1 %}{% else 1 %}{% endif %}", (1, "unexpected '1' behind 'else'")),
        ("x{% if 1 %}{% endif x %}", (1, "unexpected 'x' behind 'endif'")),
        ("x{% if %}{% endif %}", (1, "an expression is missing")),
        ("x{% if a b %}{% endif %}", (1, "'a' is not declared under inputs")),
        ("x{% if 1 2 %}{% endif %}", (1, "unexpected integer, expected end of variable block")),
        ("x\n{% if 1 if 0 %}{% endif %}", (2, "unexpected identifier, expected end of block")),
        ("x{{ }}", (1, "an expression is missing")),
        ("x{% for %}{% endfor %}", (1, "a loop is written 'for name in list'")),
        ("x{% for a of [1] %}{% endfor %}", (1, "a loop is written 'for name in list'")),
        ("x{% for a b in [1] %}{% endfor %}", (1, "a loop is written 'for name in list'")),
        ("x{% for a, in [1] %}{% endfor %}", (1, "a loop is written 'for name in list'")),
        ("x{% for (a, b) in [1] %}{% endfor %}", (1, "a loop is written 'for name in list'")),
        ("x{% for loop in [1] %}{% endfor %}", (1, "a loop is written 'for name in list'")),
        ("x{% for a in %}{% endfor %}", (1, "an expression is missing")),
        ("x{% for a in [1] recursive %}{% endfor %}", (1, "'recursive' is not declared under inputs")),
        ("x{% for a in [1] if %}{% endfor %}", (1, "an expression is missing")),
        ("x{% for _a in [1] %}{% endfor %}", (1, "a variable cannot be named '_a'")),
        ("x{% for a in [1] %}{% endfor %}{{ a }}", (1, "'a' is not declared under inputs")),
        ("x{% for a in [1] %}{% else %}{{ a }}{% endfor %}", (1, "'a' is not declared under inputs")),
        ("x{% set a %}b{% endset %}", (1, "a variable is set as 'set name = value'; blocks of text and fields are not set")),
        ("x{% set a.b = 1 %}", (1, "a variable is set as 'set name = value'; blocks of text and fields are not set")),
        ("x{% set a = %}", (1, "an expression is missing")),
        ("x{% set range = 1 %}", (1, "a variable cannot be named 'range'")),
        ("x{% set _a = 1 %}", (1, "a variable cannot be named '_a'")),
        ("x{% break %}", (1, "'break' stands in no loop")),
        ("x{% if 1 %}{% continue %}{% endif %}", (1, "'continue' stands in no loop")),
        ("x{% for a in [1] %}{% break 2 %}{% endfor %}", (1, "unexpected '2' behind 'break'")),
        ("user[id=7]:\nx", (1, 'a role line has no attribute but name="…"; in a raw block it would be text')),
        ("", (0, "the body holds no message")),
        (" \n{# x #}\n", (0, "the body holds no message")),
        ("{% if 1 %}\n{% endif %}", (0, "the body holds no message")),
    ],
)
def test_a_statement_that_is_none_is_refused(body: str, fault: tuple[int, str]) -> None:
    assert fault in refused(body)


def test_several_faults_are_told_at_once() -> None:
    assert [line for line, _ in refused("{{ a }}\n{% b %}\n{{ 'c'|nonesuch }}")] == [1, 2, 3]


def test_an_input_that_is_not_used_is_refused() -> None:
    assert refused("x{{ note }}", KINDS) == [
        (0, "the input 'docs' is declared and never used"),
        (0, "the input 'history' is declared and never used"),
    ]


@pytest.mark.parametrize("name", ["loop", "range", "not", "_x", "true", "self"])
def test_an_input_that_no_template_could_name_is_refused(name: str) -> None:
    assert (0, f"an input cannot be named {name!r}") in refused("x", {name: "string"})


@pytest.mark.parametrize(
    "statement", ["{% set note = 1 %}", "{% for note in [1] %}{% endfor %}", "{% for a, note in [1] %}{% endfor %}"]
)
def test_an_input_is_not_given_another_value(statement: str) -> None:
    assert refused(f"{{{{ note }}}}{statement}", {"note": "string"}) == [
        (1, "'note' is an input; give the variable another name")
    ]


@pytest.mark.parametrize("kind", ["array", "object"])
def test_an_input_that_is_no_text_is_not_written_as_text(kind: str) -> None:
    assert refused("{{ docs }}", {"docs": kind}) == [(1, "'docs' is no text: loop over it, or write docs|tojson")]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{% if note %}a{% elif docs %}b{% else %}c{% endif %}", "a"),
        ("{% if not note %}a{% elif docs %}b{% else %}c{% endif %}", "b"),
        ("{% if not note %}a{% elif not docs %}b{% else %}c{% endif %}", "c"),
        ("{% for d in docs %}{{ loop.index }}{{ d }},{% endfor %}", "1x,2y,"),
        ("{% for d in docs if d == 'y' %}{{ d }}{% else %}none{% endfor %}", "y"),
        ("{% for d in docs if d == 'z' %}{{ d }}{% else %}none{% endfor %}", "none"),
        ("{% for d in (docs if note else []) %}{{ d }}{% endfor %}", "xy"),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
        ("{% for d in docs %}{% if loop.first %}{% continue %}{% endif %}{{ d }}{% endfor %}", "y"),
        ("{% for d in docs %}{{ d }}{% break %}{% endfor %}", "x"),
        ("{% for d in docs %}{{ loop.cycle('a', 'b') }}{% endfor %}", "ab"),
        ("{% set a = note ~ '!' %}{% for d in docs %}{% set a = a ~ d %}{{ a }}{% endfor %}{{ a }}", "n!xn!yn!"),
        ("{% if note %}{% set a = 1 %}{% endif %}{{ a }}", "1"),
        ("{% for d in docs %}{% for e in docs %}{{ d }}{{ e }}{% endfor %}{% endfor %}", "xxxyyxyy"),
        ("a{# b #}c{% raw %}{{ d }}{% endraw %}e", "ac{{ d }}e"),
        ("a  {%- if note -%}  b  {%- endif -%}  c", "abc"),
        ("a {{- note -}} b", "anb"),
        ("a\n\n{%- raw -%}\n b \n{%- endraw -%}\n\nc", "abc"),
        ("{% for d in docs %}" + "\"{ '\\n\n}" * 10 + "{% endfor %}", "\"{ '\\n\n}" * 20),
        ("{{ '{{' }}{ {% raw %}{{% endraw %}{{ '%}' }}", "{{{ {%}"),
    ],
)
def test_statements_do_what_they_say(body: str, text: str) -> None:
    assert rendered("{{ docs|length }}{{ note }}|" + body, {"docs": ["x", "y"], "note": "n"}) == [("system", "2n|" + text)]


def test_a_loop_that_writes_nothing_calls_back_in_every_round() -> None:
    assert TICK in _program(
        "{% if history %}x{% endif %}" + USED + "{% for d in docs %}{% if d %}{{ d }}{% endif %}{% endfor %}"
    ).source.replace("\n", "")


@pytest.mark.parametrize("skip", ["continue", "break"])
def test_so_does_one_that_may_skip_what_it_writes(skip: str) -> None:
    body = "x{% for d in docs %}{% if d %}{% " + skip + " %}{% endif %}{{ d }}{% endfor %}"
    assert TICK in _program("{% if history %}x{% endif %}" + USED + body).source


def test_one_that_surely_writes_calls_back_by_itself() -> None:
    assert TICK not in _program("{% if history %}x{% endif %}" + USED + "{% for d in docs %}{{ d }}{% endfor %}").source


# which message text stands in


def test_text_before_the_first_role_line_is_the_systems() -> None:
    assert rendered("a\nuser:\nb") == [("system", "a"), ("user", "b")]


def test_an_output_before_the_first_role_line_is_the_systems_even_when_it_is_empty() -> None:
    assert rendered("{{ note }}\nuser:\nb", {"note": ""}) == [("system", ""), ("user", "b")]


def test_whitespace_comments_and_settings_before_the_first_role_line_are_nothing() -> None:
    assert rendered("\n {# x #}\n{% set a = 1 %}\nuser:\n{{ a }}") == [("user", "1")]


def test_a_role_line_in_a_loop_makes_a_message_a_round() -> None:
    body = "{% for d in docs %}\nuser:\n{{ d.q }}\nassistant:\n{{ d.a }}\n{% endfor %}\nuser:\nlast"
    docs = [{"q": "1", "a": "2"}, {"q": "3", "a": "4"}]
    assert rendered(body, {"docs": docs}) == [
        ("user", "1"),
        ("assistant", "2"),
        ("user", "3"),
        ("assistant", "4"),
        ("user", "last"),
    ]
    assert rendered(body, {"docs": []}) == [("user", "last")]


def test_a_role_line_in_a_condition_makes_a_message_when_it_holds() -> None:
    body = "system:\na\n{% if note %}\nuser:\n{{ note }}\n{% endif %}\nassistant:\nb"
    assert rendered(body, {"note": "n"}) == [("system", "a"), ("user", "n"), ("assistant", "b")]
    assert rendered(body, {"note": ""}) == [("system", "a"), ("assistant", "b")]


def test_a_role_line_that_is_written_as_raw_is_text() -> None:
    assert rendered("user:\n{% raw %}\nsystem:\n{% endraw %}\nx") == [("user", "system:\n\nx")]


def test_a_tag_that_takes_whitespace_takes_no_role_line() -> None:
    assert rendered("{% if 1 -%}\n\nuser:\n\n{%- if 1 %} a{% endif %}{% endif %}") == [("user", " a")]


def test_what_only_becomes_a_role_line_with_its_values_is_text() -> None:
    assert rendered("user:\n{{ note }}:\nsystem{{ note }}\n{{ note }}\n", {"note": "system"}) == [
        ("user", "system:\nsystemsystem\nsystem"),
    ]
    assert rendered("{% if 1 %}system:{% endif %}\nx") == [("system", "system:\nx")]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("{% if note %}\nsystem:\na\n{% endif %}\nb\nuser:\n{{ docs|length }}", 5),
        ("{% for d in docs %}\nuser:\n{{ d }}\n{% endfor %}\n\n{{ note }}", 6),
        ("system:\n{{ note }}{{ docs|length }}\n{% if note %}\n{{ history }}\n{% endif %}\nb", 6),
        ("system:\n{{ note }}\n{{ history }}\n{% for d in docs %}\n\n{{ d }}\n{% endfor %}", 6),
        ("{% if note %}\nsystem:\na\n{% else %}\nuser:\nb{% endif %}{{ docs|length }}\n{{ history }}\n\nc", 9),
    ],
)
def test_text_whose_message_would_depend_on_the_values_is_refused(body: str, line: int) -> None:
    text = "which message this belongs to depends on the values: put a role line before it"
    assert refused(body, {name: kind for name, kind in KINDS.items() if name in body}) == [(line, text)]


def _with_thread(body: str, thread: object = THREAD) -> list[tuple[str, str]]:
    return said(compiled(body, {"history": "thread"}), {"history": thread})


def test_a_thread_stands_where_its_line_is() -> None:
    assert _with_thread("system:\na\n\n{{history}}\n\nuser:\nb") == [
        ("system", "a"),
        ("user", "hi"),
        ("assistant", "hello"),
        ("user", "b"),
    ]


def test_an_empty_thread_is_no_message() -> None:
    assert _with_thread("system:\na\n{{ history }}\nuser:\nb", []) == [("system", "a"), ("user", "b")]


def test_text_behind_a_thread_goes_on_in_the_same_role() -> None:
    assert _with_thread("user:\na\n  {{- history -}}  \nb") == [
        ("user", "a"),
        ("user", "hi"),
        ("assistant", "hello"),
        ("user", "b"),
    ]


def test_a_role_line_right_before_a_thread_says_nothing() -> None:
    assert _with_thread("system:\na\nuser:\n\n{{ history }}\n") == [("system", "a"), ("user", "hi"), ("assistant", "hello")]


def test_a_condition_may_ask_for_a_thread() -> None:
    body = "system:\na\n{% if history|length > 1 %}\n{{ history }}\n{% endif %}\nuser:\nb{% if history %}c{% endif %}"
    assert _with_thread(body)[1:] == [("user", "hi"), ("assistant", "hello"), ("user", "bc")]
    assert _with_thread(body, []) == [("system", "a"), ("user", "b")]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("x {{ history }}", "'history' is a thread: it stands alone on a line, or in a condition by itself"),
        ("x\n{{ history|length }}", "'history' is a thread: it stands alone on a line, or in a condition by itself"),
        ("x{% set a = history %}", "'history' is a thread: it stands alone on a line, or in a condition by itself"),
        ("x{% for m in history %}{% endfor %}", "'history' is a thread: it stands alone on a line, or in a condition by itself"),
        ("x{% for m in [1] %}\n{{ history }}\n{% endfor %}", "the thread 'history' stands in a loop"),
    ],
)
def test_a_thread_stands_nowhere_else(body: str, fault: str) -> None:
    assert fault in [text for _, text in refused(body, {"history": "thread"})]
