"""Options of a chat request that are objects: the answer's format, streaming, sound, search, moderation, as typed structs."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, UnsetType, field

from gateway.wire.limits import LIMITS
from gateway.wire.message import Name, TextContent, WireStruct


class TextAnswer(WireStruct, frozen=True, tag_field="type", tag="text"):
    """Free text."""


class JsonAnswer(WireStruct, frozen=True, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchema(WireStruct, frozen=True):
    """A named JSON Schema."""

    name: Name
    description: str | UnsetType | None = UNSET
    schema: Raw | UnsetType = UNSET
    strict: bool | UnsetType | None = UNSET


class SchemaAnswer(WireStruct, frozen=True, tag_field="type", tag="json_schema"):
    """JSON that a schema accepts."""

    json_schema: JsonSchema


ResponseFormat: TypeAlias = TextAnswer | JsonAnswer | SchemaAnswer


class StructuredOutputs(WireStruct, frozen=True):
    """vLLM's constraint of an answer: exactly one of the fields is given (the rules check it)."""

    json_schema: Raw | UnsetType = field(default=UNSET, name="json")
    regex: str | UnsetType = UNSET
    choice: Annotated[list[str], Meta(min_length=1, max_length=LIMITS.choice_strings)] | UnsetType = UNSET
    grammar: str | UnsetType = UNSET
    json_object: bool | UnsetType = UNSET
    structural_tag: str | UnsetType = UNSET


class StreamOptions(WireStruct, frozen=True):
    """What a stream carries besides the answer; `continuous_usage_stats` is vLLM's."""

    include_usage: bool | UnsetType | None = UNSET
    include_obfuscation: bool | UnsetType = UNSET
    continuous_usage_stats: bool | UnsetType | None = UNSET


class VoiceId(WireStruct, frozen=True):
    """A custom voice."""

    id: str


class AudioOptions(WireStruct, frozen=True):
    """How an answer is spoken."""

    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]
    voice: str | VoiceId


class Prediction(WireStruct, frozen=True):
    """Text that the answer will mostly repeat."""

    content: TextContent
    type: Literal["content"]


class Place(WireStruct, frozen=True):
    """Roughly where the person is."""

    city: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    region: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET


class UserLocation(WireStruct, frozen=True):
    """Where a search is made from."""

    approximate: Place
    type: Literal["approximate"]


class WebSearchOptions(WireStruct, frozen=True):
    """OpenAI's web search."""

    search_context_size: Literal["low", "medium", "high"] | UnsetType = UNSET
    user_location: UserLocation | UnsetType | None = UNSET


class ModerationMode(WireStruct, frozen=True):
    """Whether moderation scores or blocks."""

    mode: Literal["score", "block"]


class ModerationPolicy(WireStruct, frozen=True):
    """Moderation of what goes in and what comes out."""

    input: ModerationMode | UnsetType | None = UNSET
    output: ModerationMode | UnsetType | None = UNSET


class Moderation(WireStruct, frozen=True):
    """OpenAI's own moderation of an exchange."""

    model: str
    policy: ModerationPolicy | UnsetType | None = UNSET


class PromptCacheOptions(WireStruct, frozen=True):
    """OpenAI's prompt cache."""

    mode: Literal["implicit", "explicit"] | UnsetType = UNSET
    ttl: Literal["30m"] | UnsetType = UNSET
