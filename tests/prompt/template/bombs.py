"""Templates and values that ask for more than anyone may have: text, memory, time, depth."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Bomb:
    """A body with the values that set it off."""

    name: str
    body: str
    values: Mapping[str, Any] = field(default_factory=dict)


def _loops(depth: int, iterated: str, inner: str) -> str:
    opening = "".join(f"{{% for v{level} in {iterated} %}}" for level in range(depth))
    return "go" + opening + inner + "{% endfor %}" * depth


def _doubled(step: str, times: int = 40) -> str:
    return '{% set a = "xxxxxxxxxx" %}' + f"{{% set a = {step} %}}" * times + "{{ a }}"


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


LITERAL = "x" * 4000
MANY = 100_000

SOURCES = (
    Bomb("nested loops", _loops(4, "range(1000)", "")),
    Bomb("nested loops that write", _loops(4, "range(1000)", "{{ v3 }}")),
    Bomb("nested loops over a text of the body", _loops(4, "range(1000)", LITERAL)),
    Bomb("loops nested deep", _loops(500, "[1, 2]", "x")),
    Bomb("a large range", "{{ range(1000000000)|list|length }}"),
    Bomb("a long text times a number", '{{ ("x" * 1000000000)|length }}'),
    Bomb("a long list times a number", "{{ ([1] * 90000000 == [1] * 90000000) }}"),
    Bomb("a power", "{{ 9 ** 9 ** 9 }}"),
    Bomb("doubling by ~", _doubled("a ~ a")),
    Bomb("doubling by +", _doubled("a + a")),
    Bomb("doubling a list", "{% set a = [1] %}" + "{% set a = a + a %}" * 60 + "{{ a|length }}"),
    Bomb("doubling the depth of a list", "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ a|string }}"),
    Bomb("a list in a list, often", "{% set a = [1] %}" + "{% set a = [a] %}" * 1900 + "{{ a|string }}"),
    Bomb("tuples in tuples, often", "{% set a = 1 %}" + "{% set a = (a,) %}" * 1900 + "{{ a|string }}"),
    Bomb("groups of groups, often", "{% set a = [1] %}" + '{% set a = a|groupby("x") %}' * 1900 + "{{ a|string }}"),
    Bomb("doubling by replace", _doubled('a|replace("x", "xx")')),
    Bomb("replace of nothing by much", f'{{{{ "{LITERAL[:2000]}"|replace("", "{LITERAL[:2000]}")|length }}}}'),
    Bomb("doubling by join", _doubled("[a, a]|join(a)")),
    Bomb("a long separator", f'{{{{ range(1000)|join("{LITERAL}")|length }}}}'),
    Bomb(
        "doubling in a namespace",
        "{% set n = namespace(a='xx') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}{{ n.a }}",
    ),
    Bomb("doubling by capture", "{% set a %}xxxxxxxxxx{% endset %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40 + "{{ a }}"),
    Bomb("a macro that calls itself", "{% macro f(x) %}{{ f(x ~ x) }}{% endmacro %}{{ f('xxxx') }}"),
    Bomb("a loop that calls itself", "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}"),
    Bomb("a wide format", "{{ '%1000000000d'|format(1) }}"),
    Bomb("a wide format as a method", "{{ '{:>1000000000}'.format(1) }}"),
    Bomb("a deep indent", '{{ "a\nb"|indent(1000000000) }}'),
    Bomb("a deep indent of JSON", "{{ [[[1]]]|tojson(indent=1000000000) }}"),
    Bomb("a wide wrap", f'{{{{ "{"a " * 1000}"|wordwrap(width=1, wrapstring="{LITERAL[:1000]}")|length }}}}'),
    Bomb("a batch with filling", "{{ [1]|batch(1000000000, 'x')|list }}"),
    Bomb("many slices", "{{ [1]|slice(1000000000)|list|length }}"),
    Bomb("a chain of chains", "{% set a = [1] %}" + "{% set a = a|chain(a) %}" * 60 + "{{ a|length }}"),
    Bomb("a centred text", "{{ 'x'.center(1000000000) }}"),
    Bomb("sorting in a loop", _loops(2, "range(1000)", "{% set q = range(1000)|sort %}")),
    Bomb(
        "equal texts in a loop",
        _doubled("a ~ a", 5) + "{% set b = a|upper|lower %}" + _loops(3, "range(1000)", "{% if a == b %}{% endif %}"),
    ),
    Bomb("many filters", "{{ 'a'" + "|upper" * MANY + " }}"),
    Bomb("many fields", "{{ x" + ".a" * MANY + " }}", {"x": {}}),
    Bomb("many nots", "{{ " + "not " * MANY + "1 }}"),
    Bomb("many minus signs", "{{ " + "-" * MANY + "1 }}"),
    Bomb("many brackets", "{{ " + "(" * MANY + "1" + ")" * MANY + " }}"),
    Bomb("many lists", "{{ " + "[" * MANY + "]" * MANY + " }}"),
    Bomb("many operands", "{{ " + "'a' ~ " * MANY + "'a' }}"),
    Bomb("many alternatives", "{{ " + "1 if 0 else " * MANY + "1 }}"),
    Bomb("many comparisons", "{{ " + "1 < " * MANY + "1 }}"),
    Bomb("many elif", "{% if 0 %}" + "{% elif 0 %}" * 1900 + "{% endif %}"),
    Bomb("many ifs inside each other", "{% if 1 %}" * 900 + "{% endif %}" * 900),
    Bomb("many tags", "{{ 1 }}" * 30_000),
    Bomb("a long body", "x" * 300_000),
    Bomb("a long literal", f'{{{{ "{"x" * 100_000}" }}}}'),
    Bomb("tags that never close", "{{ " * 50_000),
    Bomb("quotes that never close", "{{ '" * 50_000),
    Bomb("comments that never close", "{# " * 80_000),
)

VALUES = (
    Bomb("a large value in a loop", "{% for d in docs %}{{ big }}{% endfor %}", {"docs": [1] * 1000, "big": "x" * 50_000}),
    Bomb("a value as separator", "{{ docs|join(big) }}", {"docs": ["x"] * 1000, "big": "x" * 15_000}),
    Bomb("a value that replaces each letter", '{{ big|replace("x", big) }}', {"big": "x" * 20_000}),
    Bomb("a long text in many parts", '{{ big|split("x")|length }}', {"big": "x" * 50_000}),
    Bomb("a long text in many lines", "{{ big|lines|length }}", {"big": "\n" * 50_000}),
    Bomb("a text as a list", "{{ big|list|length }}", {"big": "x" * 50_000}),
    Bomb("all pairs", _loops(2, "docs", "{{ v1 }}"), {"docs": ["x"] * 3000}),
    Bomb("all pairs, silently", _loops(2, "docs", "{% if v0 == v1 %}{% endif %}"), {"docs": ["x"] * 3000}),
    Bomb("all quadruples", _loops(4, "docs", "{% if v0 == v3 %}{% endif %}"), {"docs": [["x"]] * 500}),
    Bomb("a text of the body for every item", "{% for d in docs %}" + LITERAL + "{% endfor %}", {"docs": [1] * 5000}),
    Bomb("values inside each other", "{{ docs|tojson }}", {"docs": _nested(2000)}),
    Bomb("a lone surrogate", "{{ big }}", {"big": "\ud800"}),
    Bomb("no JSON", "{{ docs|string }}", {"docs": [{1, 2}]}),
    Bomb("a number without end", "{{ big }}", {"big": 10**400}),
)

BOMBS = SOURCES + VALUES


class Deadly(dict[str, Any]):
    """Values that end the process of whoever looks into them."""

    def items(self) -> Any:
        """Die."""
        os._exit(7)


LARGE = Bomb("control: a large rendering", "{{ a ~ a }}", {"a": "x" * 4_000_000})
DEADLY = Bomb("control: a death", "{{ a }}", Deadly(a="x"))
CONTROLS = (LARGE, DEADLY)
"""What must be seen: one that takes memory, and one that takes its process along."""
