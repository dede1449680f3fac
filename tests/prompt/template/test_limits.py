from __future__ import annotations

import dataclasses

import pytest

from gateway.prompt.template.limits import RENDER_LIMITS, RenderLimits
from gateway.wire.limits import LIMITS
from tests.prompt.template.bodies import compiled, refused, rendered


def test_limits_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RENDER_LIMITS.fuel = 1  # type: ignore[misc]


def test_a_rendering_makes_no_more_messages_than_a_request_may_hold() -> None:
    assert RENDER_LIMITS.messages == LIMITS.messages


@pytest.mark.parametrize(
    ("limits", "body", "text"),
    [
        (RenderLimits(body_chars=5), "123456", "the body has more than 5 characters"),
        (RenderLimits(tags=1), "{{ 1 }}{{ 2 }}", "the body has more than 1 tags"),
        (RenderLimits(tokens=2), "{{ 1 + 2 }}", "the tag has more than 2 words and signs"),
        (RenderLimits(literal_chars=8), "{{ 'abcdefg' }}", "the tag quotes more than 8 characters"),
        (RenderLimits(brackets=2), "{{ (((1))) }}", "more than 2 brackets inside each other"),
        (RenderLimits(blocks=1), "x{% if 1 %}{% if 1 %}{% endif %}{% endif %}", "more than 1 blocks inside each other"),
        (
            RenderLimits(loops=1),
            "x{% for a in [1] %}{% for b in [1] %}{% endfor %}{% endfor %}",
            "more than 1 loops inside each other",
        ),
        (RenderLimits(branches=1), "x{% if 1 %}{% elif 1 %}{% elif 1 %}{% endif %}", "more than 1 'elif' of one condition"),
        (
            RenderLimits(copies=3),
            "{% set a = 1 %}{% set a = a + a %}{{ a }}{{ a + a }}",
            "the values may stand in this expression more than 3 times",
        ),
    ],
)
def test_a_body_over_a_limit_is_refused(limits: RenderLimits, body: str, text: str) -> None:
    assert text in [problem for _, problem in refused(body, limits=limits)]


@pytest.mark.parametrize(
    "body",
    [
        "{% if 0 %}" + "".join("{% elif 0 %}" for _ in range(RENDER_LIMITS.branches)) + "{% endif %}x",
        "x" + "{% if 1 %}" * RENDER_LIMITS.blocks + "{% endif %}" * RENDER_LIMITS.blocks,
        "{{ " + "(" * RENDER_LIMITS.brackets + "1" + ")" * RENDER_LIMITS.brackets + " }}",
        "{{ " + "not " * (RENDER_LIMITS.tokens - 1) + "1 }}",
        "{{ 1" + "|string|upper" * ((RENDER_LIMITS.tokens - 1) // 4) + " }}",
        "{{ " + "'a' ~ " * (RENDER_LIMITS.tokens // 2 - 1) + "'a' }}",
        "{{ 1 if 1" + " else 1 if 1" * ((RENDER_LIMITS.tokens - 3) // 4) + " }}",
        "{{ 1 }}" * RENDER_LIMITS.tags,
        "x" * RENDER_LIMITS.body_chars,
        "{{ '" + "x" * (RENDER_LIMITS.literal_chars - 2) + "' }}",
        "{% set a = [1] %}" + "{% set a = [[[[a]]]] %}" * (RENDER_LIMITS.copies - 1) + "{{ a|string|length }}",
    ],
)
def test_control_a_body_at_a_limit_is_taken_by_the_engine(body: str) -> None:
    assert compiled(body).render({})


def test_a_rendering_over_a_limit_of_items_is_refused() -> None:
    assert rendered("{{ range(3)|join }}") == [("system", "012")]
