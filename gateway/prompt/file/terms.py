"""Reads `metadata.gateway`: what is ours in a prompt's front matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gateway.prompt.file.document import Path
from gateway.prompt.file.fields import Fields
from gateway.prompt.file.frontmatter import Budget, Mode, Property, TrimRule
from gateway.prompt.file.keywords import check_patterns, read_keywords
from gateway.prompt.file.options import SETTABLE
from gateway.prompt.file.report import Report

_TERMS = ("contract", "mode", "messages", "overridable", "limits", "budget")
_BUDGET = ("max_input_tokens", "reserve_output", "trim")
_TRIM = ("input", "priority", "keep_first", "keep_last", "step", "drop")
_MODES: Final[tuple[Mode, ...]] = ("enforce", "shadow")
_ENDS: Final[tuple[Literal["first", "last"], ...]] = ("first", "last")
_THREAD = "thread:"
_OUTPUT_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
"""One thing under two names."""

OVERRIDABLE: Final = tuple(sorted({"model", "max_tokens", "tools", *SETTABLE}))
"""What `overridable` may list."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What stands under `metadata.gateway`, as `FrontMatter` has it."""

    contract: int = 1
    mode: Mode = "enforce"
    messages: str | None = None
    overridable: frozenset[str] = frozenset()
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    budget: Budget | None = None


def read_terms(report: Report, path: Path, value: Any, *, inputs: Mapping[str, Property]) -> Terms:
    """Return the terms of a prompt with these inputs; what is wrong with them is reported."""
    fields = Fields(report, path, value, known=_TERMS)
    return Terms(
        contract=fields.integer("contract", least=1, default=1),
        mode=fields.word("mode", _MODES, default="enforce"),
        messages=_messages(fields, inputs),
        overridable=_overridable(fields),
        limits=_limits(fields, inputs),
        budget=_budget(fields.below("budget", known=_BUDGET), inputs) if "budget" in fields else None,
    )


def _messages(fields: Fields, inputs: Mapping[str, Property]) -> str | None:
    value = fields.text("messages") if "messages" in fields else "forbid"
    if value == "forbid" or not value:
        return None
    threads = [name for name, one in inputs.items() if one.kind == "thread"]
    name = value.removeprefix(_THREAD)
    if not value.startswith(_THREAD):
        fields.wrong("messages", "must be forbid or thread:<input>")
    elif name not in threads:
        fields.report.unknown(fields.at("messages"), threads, noun="name of an input of kind thread", name=name)
    else:
        return name
    return None


def _overridable(fields: Fields) -> frozenset[str]:
    found: set[str] = set()
    for place, name in enumerate(fields.sequence("overridable")):
        path = (*fields.at("overridable"), place)
        if name not in OVERRIDABLE:
            fields.report.unknown(path, OVERRIDABLE, noun="field that can be overridden", name=str(name))
        elif name in found:
            fields.report.add(path, "stands there twice")
        else:
            found.add(name)
    return frozenset(found | _OUTPUT_LIMITS if found & _OUTPUT_LIMITS else found)


def _limits(fields: Fields, inputs: Mapping[str, Property]) -> dict[str, Mapping[str, Any]]:
    below = fields.below("limits", known=inputs, noun="input of the prompt")
    found: dict[str, Mapping[str, Any]] = {
        name: read_keywords(fields.report, below.at(name), below.raw(name), of=one)
        for name, one in inputs.items()
        if name in below
    }
    check_patterns(fields.report, below.path, found)
    return found


def _budget(fields: Fields, inputs: Mapping[str, Property]) -> Budget:
    rules: dict[str, TrimRule] = {}
    for place, given in enumerate(fields.sequence("trim")):
        path = (*fields.at("trim"), place)
        rule = _trim(Fields(fields.report, path, given, known=_TRIM), inputs)
        if rule is None:
            continue
        if rule.input in rules:
            fields.report.add(path, "is a second rule for one input")
        rules[rule.input] = rule
    most = fields.integer("max_input_tokens", least=1, default=1) if "max_input_tokens" in fields else None
    return Budget(
        max_input_tokens=most,
        reserve_output=fields.integer("reserve_output", least=0, default=0),
        trim=tuple(sorted(rules.values(), key=lambda rule: rule.priority)),
    )


def _trim(fields: Fields, inputs: Mapping[str, Property]) -> TrimRule | None:
    if not (fields.required("input") and fields.required("priority")):
        return None
    listed = [name for name, one in inputs.items() if one.kind in {"array", "thread"}]
    name = fields.text("input")
    if name not in listed:
        fields.report.unknown(fields.at("input"), listed, noun="name of an input of kind array or thread", name=name)
        return None
    return TrimRule(
        input=name,
        priority=fields.integer("priority", least=0, default=0),
        keep_first=fields.integer("keep_first", least=0, default=0),
        keep_last=fields.integer("keep_last", least=0, default=0),
        step=fields.integer("step", least=1, default=1),
        drop=fields.word("drop", _ENDS, default="first" if inputs[name].kind == "thread" else "last"),
    )
