from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from typing import Any

import pytest
from minijinja import TemplateError

from gateway.errors import ClientError
from gateway.prompt.template.account import RenderFailed
from gateway.prompt.template.engine import Engine, Extent, extent_of, syntax_fault
from gateway.prompt.template.layout import Program
from gateway.prompt.template.limits import RENDER_LIMITS, RenderLimits

SECRET = "s3cr3t"
NONE = Extent(0, 0)


@dataclass
class _Thing:
    name: str = SECRET


class _Dict(dict[str, str]):
    pass


def _engine(source: str, limits: RenderLimits = RENDER_LIMITS) -> Engine:
    return Engine(Program(source, (), tuple(range(100, 100 + source.count("\n") + 1))), limits)


def _failure(source: str, **values: Any) -> ClientError:
    with pytest.raises(RenderFailed) as caught:
        _engine(source).render(values, NONE)
    return caught.value


@pytest.mark.parametrize(
    ("values", "extent"),
    [({}, (2, 1)), ({"a": "é"}, (10, 1)), ({"a": [1, None, 1.5, True, {}]}, (26, 5)), ({"a": "x,y"}, (11, 2))],
)
def test_the_extent_of_values_is_that_of_their_json(values: dict[str, Any], extent: tuple[int, int]) -> None:
    assert extent_of(values) == extent


@pytest.mark.parametrize(
    "value",
    [object(), _Thing(), _Dict(), {1, 2}, b"x", "\ud800", 2**64, -(2**63) - 1, {1: 2}, len, pytest.param([[]] * 1, id="deep")],
)
def test_what_json_does_not_have_is_refused(value: object) -> None:
    if value == [[]]:
        for _ in range(1000):
            value = [value]
    with pytest.raises(RenderFailed) as caught:
        extent_of({"x": value})
    assert caught.value.reason == "no JSON"


@pytest.mark.parametrize(
    ("expression", "fault"), [("a + ", "unexpected end"), ("a b", "unexpected identifier"), ("1 if", "unexpected end")]
)
def test_the_engine_says_what_is_wrong_with_an_expression(expression: str, fault: str) -> None:
    assert (syntax_fault(expression) or "").startswith(fault)
    assert syntax_fault("a + b") is None


def test_a_program_that_the_engine_does_not_take_is_an_error_with_its_line() -> None:
    with pytest.raises(TemplateError) as caught:
        _engine("a\n{% nonesuch %}")
    assert caught.value.line == 2


def test_values_are_written_without_escaping() -> None:
    assert _engine("{{ a }}\n").render({"a": "<b>&{{ x }}"}, NONE) == "<b>&{{ x }}\n"


@pytest.mark.parametrize(
    "source", ["{{ a }}", "{{ x.a }}", "{{ x.a.b }}", "{% if a %}{% endif %}", "{{ x[3] }}", "{{ a ~ 'b' }}"]
)
def test_what_is_missing_is_an_error_and_never_an_empty_text(source: str) -> None:
    failure = _failure(source, x={})
    assert "not there" in failure.message
    assert failure.reason.startswith("missing")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("\n\n{{ x + 1 }}", "InvalidOperation at line 102 of the body"),
        ("{{ x.get() }}", "UnknownMethod at line 100 of the body"),
        ("{{ d.get([]) }}", "TypeError"),
        ("{{ d.nonesuch() }}", "AttributeError"),
        ("{{ range(0, 1, 0) }}", "ValueError"),
        ("{{ d }}", "no text"),
        ("{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}", "fuel at line 100 of the body"),
        ("{{ 1 // 0 }}", "InvalidOperation at line 100 of the body"),
        ("{{ '9999999999999999999999'|int|round(2) }}", "no failure"),
    ],
)
def test_a_failure_tells_its_kind_and_place_and_no_value(source: str, reason: str) -> None:
    if reason == "no failure":
        assert _engine(source).render({}, NONE)
        return
    failure = _failure(source, x=SECRET, d={"a": SECRET})
    assert failure.reason == reason
    assert SECRET not in failure.message + failure.reason


@pytest.mark.parametrize("name", ["cycler", "debug", "dict", "joiner", "namespace", "lipsum"])
def test_the_engines_own_functions_are_gone(name: str) -> None:
    assert _failure(f"{{{{ {name}() }}}}").reason.startswith("UnknownFunction")


@pytest.mark.parametrize("source", ["{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% include 'prompt' %}"])
def test_there_is_no_other_template(source: str) -> None:
    assert _failure(source).code == "prompt_variables_invalid"


@pytest.mark.parametrize("extent", [Extent(1_000_000, 0), Extent(0, 10_000)])
def test_more_fuel_comes_with_larger_values_up_to_a_limit(extent: Extent) -> None:
    source = "{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}"
    engine = _engine(source, RenderLimits(fuel=1000, fuel_by_extent=100_000))
    values = {"x": [1] * 100}
    with pytest.raises(RenderFailed):
        engine.render(values, NONE)
    assert engine.render(values, extent) == ""
    with pytest.raises(RenderFailed):
        engine.render(values, NONE)
    with pytest.raises(RenderFailed):
        engine.render({"x": [1] * 1000}, Extent(10**9, 10**9))


@pytest.mark.parametrize("count", [0, 1, 100, 10_000, 40_000])
def test_fuel_is_enough_for_a_plain_loop_over_any_number_of_items(count: int) -> None:
    engine = _engine("{% for a in x %}- {{ a }}{% if not loop.last %},{% endif %}\n{% endfor %}")
    values = {"x": list(range(count))}
    assert engine.render(values, extent_of(values)).count("\n") == count


def test_a_rendering_that_failed_leaves_the_next_one_whole() -> None:
    engine = _engine("{{ a }}", RenderLimits(output_chars=5, output_share=0))
    with pytest.raises(RenderFailed):
        engine.render({"a": "x" * 6}, NONE)
    assert engine.render({"a": "x" * 5}, NONE) == "xxxxx"


def test_an_engine_that_nobody_uses_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        engine = _engine("{{ a }}")
        gone = weakref.ref(engine)
        engine.render({"a": "x"}, NONE)
        del engine
        assert gone() is None
    finally:
        gc.enable()
