"""Attempts to reach out of a template: by its source, and by a value that holds a template."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.template.account import RenderFailed
from tests.prompt.template.bodies import compiled, said

SECRET = "s3cr3t-of-python"


class Thing:
    """What a caller can never send: an object with attributes, methods and a secret."""

    __slots__ = ("public",)
    hidden = SECRET

    def __init__(self) -> None:
        self.public = SECRET

    def method(self) -> str:
        return SECRET


SOURCES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ x['__class__']['__base__'] }}",
    "{{ x|attr('__class__') }}",
    "{{ x|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ x['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ x['__cl' 'ass__'] }}",
    "{{ x['__cl' ~ 'ass__'] }}",
    "{{ x|map(attribute='__class__')|list }}",
    "{{ x|map('attr', '__class__')|list }}",
    "{{ x|map(attribute='a.__class__')|list }}",
    "{{ x|selectattr('__class__')|list }}",
    "{{ x|groupby('__class__') }}",
    "{{ x|sort(attribute='__class__') }}",
    "{{ x|join(',', attribute='__class__') }}",
    "{{ x|sum(attribute='__len__') }}",
    "{{ x|unique(attribute='__hash__') }}",
    "{{ x.clear() }}",
    "{{ x.clear }}",
    "{{ x['clear']() }}",
    "{{ (x.clear)() }}",
    "{% set f = x.clear %}{{ f() }}",
    "{{ x.update({'a': 1}) }}",
    "{{ x.setdefault('b', 1) }}",
    "{{ x.pop('a') }}",
    "{{ x.get.__self__ }}",
    "{{ x.items.__func__ }}",
    "{{ x.get('a').__class__ }}",
    "{{ x.copy()['a'] }}",
    "{{ x.fromkeys('ab') }}",
    "{{ x.get(x.get)|string }}",
    "{{ [x.get]|string }}",
    "{{ x.upper.__globals__ }}",
    "{{ 'a'.format.__globals__ }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ '{0.__class__}'|format(x) }}",
    "{{ '%(a)s'|format(**x) }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ loop.__class__ }}",
    "{{ loop(x) }}",
    "{% for a in x %}{{ loop.changed.__func__ }}{% endfor %}",
    "{{ range.__class__ }}",
    "{{ range }}",
    "{{ debug() }}",
    "{{ namespace(a=1).a }}",
    "{{ dict(a=1) }}",
    "{{ cycler('a').next() }}",
    "{{ joiner() }}",
    "{{ lipsum.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ config }}",
    "{{ request }}",
    "{{ open('/etc/passwd').read() }}",
    "{{ __import__('os').popen('id').read() }}",
    "{{ caller() }}",
    "{{ super() }}",
    "{{ varargs }}",
    "{{ _given(x) }}",
    "{{ x|_given }}",
    "{% include '/etc/passwd' %}",
    "{% include x %}",
    "{% include ['a', 'b'] ignore missing %}",
    "{% import '/etc/passwd' as p %}{{ p }}",
    "{% from '/etc/passwd' import a %}",
    "{% extends '/etc/passwd' %}",
    "{% block a %}{{ super() }}{% endblock %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}",
    "{% filter attr('__class__') %}x{% endfilter %}",
    "{% with a = x.__class__ %}{{ a }}{% endwith %}",
    "{% do x.clear() %}",
    "{% autoescape true %}{{ x }}{% endautoescape %}",
    "{% set x.a = 1 %}",
    "{% set ns = namespace() %}{% set ns.a = 1 %}",
    "{% for a in x recursive %}{{ loop(a) }}{% endfor %}",
    "{% for k, v in x.items() %}{{ v.__class__ }}{% endfor %}",
    "{% if x.__class__ %}a{% endif %}",
    "{% if x is callable %}a{% endif %}",
    "{% trans %}a{% endtrans %}",
    "{% debug %}",
    "{{ x if x.__class__ else 1 }}",
    "{{ {'a': x.__class__}['a'] }}",
    "{{ x.a.__class__ ~ '' }}",
    "{{ x.__dict__|tojson }}",
    "{{ (1).__class__ }}",
    "{{ true.__class__ }}",
    "{{ none.__class__ }}",
    "{{ x | map ( 'string' ) | first . __class__ }}",
    "{{\nx\n.\n__class__\n}}",
    "{{ x.\u212alass }}",
    "{{ x.__\u200bclass__ }}",
    "{{ x.public() }}",
)


@pytest.mark.parametrize("body", SOURCES)
def test_a_source_that_reaches_out_is_refused_or_fails(body: str) -> None:
    values = {"x": {"a": "b"}}
    try:
        messages = said(compiled("user:\n{{ x.a }}" + body, {"x": "object"}), values)
    except (PromptInvalid, RenderFailed):
        messages = []
    assert messages == []
    assert values == {"x": {"a": "b"}}


@pytest.mark.parametrize(
    "body", ["{{ x.public }}", "{{ x.hidden }}", "{{ x.method }}", "{{ x.get('a') }}", "{{ x }}", "{{ x|string }}"]
)
@pytest.mark.parametrize("value", [Thing(), [Thing()], {"a": Thing()}, Thing, Thing().method, len, compile("1", "", "eval")])
def test_an_object_of_python_is_never_given_to_a_template(body: str, value: Any) -> None:
    with pytest.raises(RenderFailed) as caught:
        compiled(body, {"x": "string"}).render({"x": value})
    assert SECRET not in caught.value.message + caught.value.reason


VALUES = (
    *SOURCES,
    "{{ x }}",
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{{ '}}' }}",
    "{% raw %}",
    "{% endraw %}{{ x }}{% raw %}",
    "{{{{ x }}}}",
    "${env:HOME}",
    "${file:/etc/passwd}",
    "{x}",
    "%s",
    "\\",
    "\\x1e",
    "{% endif %}",
    "{% endfor %}{% for a in x %}",
)
PLACES = {
    "plain": "{{ x }}",
    "in a loop": "{% for a in [x] %}{{ a }}{% endfor %}",
    "set": "{% set a = x %}{{ a }}",
    "joined": "{{ x ~ '' }}",
    "filtered": "{{ x|default('')|replace('nothing of the kind', x) }}",
    "trimmed": "{%- if x -%}{{- x -}}{%- endif -%}",
    "as a part": "{{ {'a': x}.get('a') }}",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("value", VALUES)
def test_a_value_that_holds_a_template_is_text(value: str, place: str) -> None:
    assert said(compiled(f"user:\n<{place}>", {"x": "string"}), {"x": value}) == [("user", f"<{value}>")]


def test_there_are_attempts_enough() -> None:
    assert len(set(SOURCES)) >= 60
    assert len(set(VALUES)) >= 60
