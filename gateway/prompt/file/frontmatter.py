"""What a prompt's front matter says, as values; `gateway.prompt.file.reading` reads them from the file and checks them.

The format is Prompty v2; what is ours stands under `metadata.gateway` there and directly in `FrontMatter` here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from gateway.wire.tool import FunctionTool

Kind = Literal["string", "integer", "float", "number", "boolean", "array", "object", "thread"]
"""`float` and `number` are the same and take integers; a `thread` is an array of messages and can only be an input."""

Mode = Literal["enforce", "shadow"]


@dataclass(frozen=True, slots=True)
class Property:
    """A named value: an input, a part of one, a field of the answer or a parameter of a tool.

    `values` are the only ones allowed, where there are any; `items` describes an array's items and is None where they may be
    anything; `properties` are an object's and None where it may hold anything. An absent `default` or `example` is `UNSET`.
    """

    name: str
    kind: Kind
    description: str = ""
    required: bool = True
    default: Any | UnsetType = UNSET
    example: Any | UnsetType = UNSET
    values: tuple[Any, ...] = ()
    items: Property | None = None
    properties: tuple[Property, ...] | None = None


@dataclass(frozen=True, slots=True)
class TrimRule:
    """What of an array or thread may be left out to save tokens: lower `priority` goes first.

    `keep_first` and `keep_last` items always stay; of the others `step` go at a time, from the end that `drop` names.
    """

    input: str
    priority: int
    keep_first: int = 0
    keep_last: int = 0
    step: int = 1
    drop: Literal["first", "last"] = "last"


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens: at most `max_input_tokens` of all messages together, `reserve_output` kept free in the context window."""

    max_input_tokens: int | None = None
    reserve_output: int = 0
    trim: tuple[TrimRule, ...] = ()
    """By priority, then in the file's order."""


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """A prompt's front matter, checked.

    `name` is None where the file leaves it to the folder. `route` is `model.id`, None where the caller names it. `options` are
    fields of our chat request by their names there, with values as the wire's own types (`gateway.wire.chat`). `messages` is
    the thread input that takes the caller's messages, None where they are forbidden. `limits` are keywords of JSON Schema by
    input. `overridable` holds fields of the request that a caller may set all the same, and perhaps `model`; `max_tokens` and
    `max_completion_tokens` always stand there together. `metadata` is everything under `metadata` but `gateway`.
    """

    name: str | None = None
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    contract: int = 1
    mode: Mode = "enforce"
    messages: str | None = None
    overridable: frozenset[str] = frozenset()
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    budget: Budget | None = None
    route: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Property, ...] = ()
    outputs: tuple[Property, ...] = ()
    tools: tuple[FunctionTool, ...] = ()
