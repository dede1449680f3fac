from __future__ import annotations

from contextlib import suppress

import pytest
from minijinja import Environment, TemplateError

from gateway.prompt.template.account import Account
from gateway.prompt.template.filters import DICT_ATTRIBUTES, FILTERS, METHODS, TESTS, Argument, Arguments, is_field
from gateway.prompt.template.limits import RENDER_LIMITS
from gateway.prompt.template.pieces import Token
from tests.prompt.template.bodies import refused, rendered

DOCS = {"docs": [{"t": "b", "n": 2}, {"t": "a", "n": 1}, {"t": "b", "n": 3}]}


def _engine() -> Environment:
    return Environment(undefined_behavior="strict", filters=Account(RENDER_LIMITS).filters())


def _kind(source: str) -> str:
    with suppress(TypeError, AttributeError):
        try:
            _engine().render_str(source)
        except TemplateError as error:
            return error.kind
    return ""


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_the_engine_has_every_listed_filter(name: str) -> None:
    assert _kind(f"{{{{ 1|{name} }}}}") != "UnknownFilter"


@pytest.mark.parametrize("name", sorted(TESTS))
def test_the_engine_has_every_listed_test(name: str) -> None:
    assert _kind(f"{{{{ 1 is {name}(1) }}}}") != "UnknownTest"


def test_control_the_engine_tells_of_a_filter_and_a_test_that_it_lacks() -> None:
    assert _kind("{{ 1|nonesuch }}") == "UnknownFilter"
    assert _kind("{{ 1 is nonesuch }}") == "UnknownTest"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_listed_method_is_one_of_a_text_or_an_object(name: str) -> None:
    assert hasattr("", name) or hasattr({}, name)


def test_no_listed_method_changes_a_value() -> None:
    assert not METHODS & {
        "append",
        "clear",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
    }


def test_a_field_is_nothing_that_python_gives_an_object() -> None:
    assert is_field("title")
    assert not is_field("_secret")
    assert not any(is_field(name) for name in DICT_ATTRIBUTES)
    assert "clear" in DICT_ATTRIBUTES


def test_of_two_arguments_of_one_name_the_last_counts() -> None:
    one, two = (Argument("width", (Token("number", text, 1),)) for text in ("1", "2.5"))
    given = Arguments.of([one, two])
    assert given.named["width"].constant() == 2.5


@pytest.mark.parametrize(("text", "value"), [('"a"', "a"), ("1", "1"), ("true", "True"), ("False", "False"), ("none", "")])
def test_constants_are_arguments(text: str, value: str) -> None:
    assert rendered(f"x{{{{ docs|default({text}) }}}}", docs="string") == [("system", f"x{value}")]


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("x|upper(1)", "the filter 'upper' takes no arguments"),
        ("x|sort(1)", "the filter 'sort' takes 0 arguments by place; the others are attribute, case_sensitive, reverse, by name"),
        ("x|sort(nonesuch=1)", "the filter 'sort' has no argument 'nonesuch'"),
        ("x|sort(reverse=x)", "the filter 'sort' takes constants only"),
        ('x|sort(attribute="a._b")', "the filter 'sort' reads an attribute that is the quoted name of a field"),
        ('x|sort(attribute="clear")', "the filter 'sort' reads an attribute that is the quoted name of a field"),
        ("x|sort(attribute=x)", "the filter 'sort' reads an attribute that is the quoted name of a field"),
        ('x|join(",", attribute="__class__")', "the filter 'join' reads an attribute that is the quoted name of a field"),
        ('x|sum(attribute="a..b")', "the filter 'sum' reads an attribute that is the quoted name of a field"),
        ('x|unique(attribute="")', "the filter 'unique' reads an attribute that is the quoted name of a field"),
        ("x|indent(33)", "the filter 'indent' takes a whole number as width, at most 32"),
        ("x|indent(width=x)", "the filter 'indent' takes a whole number as width, at most 32"),
        ("x|indent(2.0)", "the filter 'indent' takes a whole number as width, at most 32"),
        ("x|indent(true)", "the filter 'indent' takes a whole number as width, at most 32"),
        ("x|indent(1, true)", "the filter 'indent' takes a whole number as width, at most 32"),
        ("x|tojson(9)", "the filter 'tojson' takes a whole number as indent, at most 8"),
        ("x|tojson(indent=1, first=true)", "the filter 'tojson' has no argument 'first'"),
        ("x|groupby(x)", "the filter 'groupby' takes the quoted name of a field"),
        ('x|groupby("values")', "the filter 'groupby' takes the quoted name of a field"),
        ('x|groupby(attribute="a")', "the filter 'groupby' takes the quoted name of a field"),
        ('x|select("in", [1])', "the filter 'select' takes the quoted name of a test first, and not 'in'"),
        ("x|reject(x)", "the filter 'reject' takes the quoted name of a test first, and not 'in'"),
        ('x|selectattr("copy")', "the filter 'selectattr' takes the quoted name of a field first"),
        ("x|selectattr", "the filter 'selectattr' takes the quoted name of a field first"),
        ('x|rejectattr("a", "nonesuch")', "the filter 'rejectattr' takes the quoted name of a test first, and not 'in'"),
        ('x|map("tojson")', "the filter 'map' takes attribute="),
        ('x|map("upper", 1)', "the filter 'map' takes attribute="),
        ("x|map(x)", "the filter 'map' takes attribute="),
        ("x|map", "the filter 'map' takes attribute="),
        ('x|map(attribute="update")', "the filter 'map' reads an attribute that is the quoted name of a field"),
        ("x|truncate(5)", "the filter 'truncate' takes 0 arguments by place"),
    ],
)
def test_an_argument_that_could_reach_too_far_is_refused(expression: str, fault: str) -> None:
    (found,) = [text for _, text in refused(f"{{{{ {expression} }}}}", {"x": "string"})]
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ('docs|map(attribute="t")|join(", ")', "b, a, b"),
        ('docs|map(attribute="t")|map("upper")|join', "BAB"),
        ('docs|sort(attribute="n", reverse=true)|map(attribute="n")|join', "321"),
        ('docs|selectattr("t", "equalto", "b")|list|length', "2"),
        ('docs|selectattr("n", "gt", docs[1].n)|list|length', "2"),
        ('docs|rejectattr("t")|list|length', "0"),
        ('docs|map(attribute="n")|select("odd")|join', "13"),
        ('docs|map(attribute="n")|reject|join', ""),
        ('docs|groupby("t")|length', "2"),
        ('docs|sum(attribute="n")', "6"),
        ('docs|unique(attribute="t")|list|length', "2"),
        ('docs|map(attribute="x", default="-")|join', "---"),
        ('docs|join(", ", attribute="t")', "b, a, b"),
        ('docs[0]|dictsort(by="value", reverse=true)|length', "2"),
        ('"a\nb"|indent(2)', "a\n  b"),
        ('"a\nb"|indent(width=2, first=true)', "  a\n  b"),
        ('"abcdefghij klm"|truncate(length=5, killwords=true, end="")', "abcde"),
        ('1.25|round(1, "floor")', "1.2"),
        ('"x"|int(default=7)', "7"),
        ('"x"|float(1.5)', "1.5"),
        ("docs[0]|tojson", '{"t":"b","n":2}'),
        ("docs[0]|tojson(2)", '{\n  "t": "b",\n  "n": 2\n}'),
        ('"a,b"|split(",")|join("-")', "a-b"),
        ('"aXb"|replace("X", docs[0].t)', "abb"),
        ('docs[0].t|default("q")', "b"),
    ],
)
def test_a_listed_filter_does_its_work(expression: str, text: str) -> None:
    assert rendered(f"{{{{ docs|length }}}}|{{{{ {expression} }}}}", DOCS) == [("system", f"3|{text}")]
