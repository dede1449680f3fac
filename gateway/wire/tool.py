"""Tools of a chat request, and which of them the model shall use, as typed structs.

`Raw` fields hold free-form JSON: after `read_chat_request` they are valid, within the limits and in one normal form
(no spaces, the last of equal keys), so that they can be hashed, compared and passed on as they are.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, Raw, UnsetType

from gateway.wire.message import Name, WireStruct


class Function(WireStruct, frozen=True):
    """A function that the model may call; `parameters` is a JSON Schema object, or null."""

    name: Name
    description: str | UnsetType | None = UNSET
    parameters: Raw | UnsetType = UNSET
    strict: bool | UnsetType | None = UNSET


class FunctionTool(WireStruct, frozen=True, tag_field="type", tag="function"):
    """A function as a tool."""

    function: Function


class TextFormat(WireStruct, frozen=True, tag_field="type", tag="text"):
    """Free text."""


class Grammar(WireStruct, frozen=True):
    """A context-free grammar or a regular expression."""

    definition: str
    syntax: Literal["lark", "regex"]


class GrammarFormat(WireStruct, frozen=True, tag_field="type", tag="grammar"):
    """Text that a grammar accepts."""

    grammar: Grammar


class Custom(WireStruct, frozen=True):
    """A tool whose input is text."""

    name: Name
    description: str | UnsetType = UNSET
    format: TextFormat | GrammarFormat | UnsetType = UNSET


class CustomTool(WireStruct, frozen=True, tag_field="type", tag="custom"):
    """A custom tool."""

    custom: Custom


Tool: TypeAlias = FunctionTool | CustomTool


class Named(WireStruct, frozen=True):
    """A tool by its name."""

    name: Name


class FunctionChoice(WireStruct, frozen=True, tag_field="type", tag="function"):
    """The model must call this function."""

    function: Named


class CustomChoice(WireStruct, frozen=True, tag_field="type", tag="custom"):
    """The model must call this custom tool."""

    custom: Named


class AllowedTools(WireStruct, frozen=True):
    """The tools that may be called; `tools` is a free-form array of objects."""

    mode: Literal["auto", "required"]
    tools: Raw


class AllowedChoice(WireStruct, frozen=True, tag_field="type", tag="allowed_tools"):
    """The model chooses among some of the tools."""

    allowed_tools: AllowedTools


ToolChoice: TypeAlias = Literal["none", "auto", "required"] | FunctionChoice | CustomChoice | AllowedChoice


class LegacyFunction(WireStruct, frozen=True):
    """A function in the form before tools."""

    name: Name
    description: str | UnsetType = UNSET
    parameters: Raw | UnsetType = UNSET


LegacyChoice: TypeAlias = Literal["none", "auto"] | Named
