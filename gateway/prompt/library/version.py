"""A version of a prompt, compiled: all that an exchange needs of it, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET, UnsetType

from gateway.prompt.contract.contract import Contract, contract_of
from gateway.prompt.file.frontmatter import Budget, FrontMatter
from gateway.prompt.file.schema import answer_format
from gateway.prompt.file.source import Source
from gateway.prompt.template.template import Template, compile_template
from gateway.wire.option import SchemaAnswer
from gateway.wire.tool import FunctionTool


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version of the prompt `id` (`support/triage`), named `vN` or `draft`; equal only to itself.

    `file` is relative to the folder of prompts; `digest` is that of `Source`. `route` is None where the caller names it.
    `options` are fields of the chat request that the version sets, `overridable` those that a caller may set all the same.
    `messages` is the thread input that takes the caller's messages, None where they are forbidden. `tools` and
    `response_format` are those of the request, `UNSET` where the version has none.
    """

    id: str
    name: str
    digest: str
    file: str
    source: Source
    front: FrontMatter
    contract: Contract
    template: Template
    route: str | None
    options: Mapping[str, Any]
    overridable: frozenset[str]
    messages: str | None
    budget: Budget | None
    tools: list[FunctionTool] | UnsetType
    response_format: SchemaAnswer | UnsetType

    @property
    def reference(self) -> str:
        """The version as people and headers name it: `support/triage@v7`."""
        return f"{self.id}@{self.name}"


def compile_version(prompt: str, name: str, source: Source) -> Version:
    """Compile a version of a prompt from its file; raises `PromptInvalid` with every problem that keeps it from being used."""
    front = source.front
    return Version(
        id=prompt,
        name=name,
        digest=source.digest,
        file=source.file,
        source=source,
        front=front,
        contract=contract_of(front),
        template=compile_template(source.body, inputs={each.name: each.kind for each in front.inputs}, where=source.line_of),
        route=front.route,
        options=front.options,
        overridable=front.overridable,
        messages=front.messages,
        budget=front.budget,
        tools=list(front.tools) if front.tools else UNSET,
        response_format=answer_format(front.outputs, name=prompt.rpartition("/")[2]) if front.outputs else UNSET,
    )
