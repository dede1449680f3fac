"""Bodies of prompts for tests: compiled, refused, rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.template.limits import RENDER_LIMITS, RenderLimits
from gateway.prompt.template.template import Template, compile_template

FILE = "support/triage/draft.prompty"


def compiled(body: str, inputs: Mapping[str, str] | None = None, *, limits: RenderLimits = RENDER_LIMITS) -> Template:
    """Compile a body; `inputs` are names with their kinds."""
    return compile_template(body, inputs=inputs or {}, where=lambda line: (FILE, line), limits=limits)


def refused(body: str, inputs: Mapping[str, str] | None = None, *, limits: RenderLimits = RENDER_LIMITS) -> list[tuple[int, str]]:
    """Return line and text of everything that is wrong with a body, which must be refused."""
    with pytest.raises(PromptInvalid) as caught:
        compiled(body, inputs, limits=limits)
    assert {problem.file for problem in caught.value.problems} == {FILE}
    return [(problem.line, problem.text) for problem in caught.value.problems if problem.severity == "error"]


def kind(value: Any) -> str:
    """Return the kind of input that takes a value."""
    kinds = {bool: "boolean", str: "string", int: "integer", float: "float", list: "array", dict: "object"}
    return kinds.get(type(value), "string")


def said(template: Template, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return role and text of the messages."""
    return [(_role(message), str(message.content)) for message in template.render(values)]


def _role(message: object) -> str:
    return type(message).__name__.removesuffix("Message").lower()


def rendered(body: str, values: Mapping[str, Any] | None = None, **kinds: str) -> list[tuple[str, str]]:
    """Compile a body for just these values and render it; `kinds` are those of inputs that the values do not tell."""
    values = values or {}
    inputs = {name: kind(value) for name, value in values.items()} | kinds
    return said(compiled(body, inputs), values)
