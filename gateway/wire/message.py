"""Messages of a chat request and their parts, as typed structs.

Fields are those of OpenAI's reference for chat completions. Beyond them stand only what the official SDKs and vLLM put into
an assistant's message that an application sends back as it came: `annotations`, `reasoning`, `reasoning_content` are passed
on, `parsed`, `parsed_arguments` and a tool call's `index` are taken and not passed on (they repeat other fields); and `name`
of a tool's message, which OpenAI's own examples send.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gateway.wire.limits import LIMITS

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LIMITS.name_chars)]


class WireStruct(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """An object of the wire: unknown fields are refused, absent fields stay absent when it is encoded again.

    `gc=False` is safe because a decoded body is a tree.
    """


class CacheBreakpoint(WireStruct, frozen=True):
    """Where OpenAI's prompt cache may cut."""

    mode: Literal["explicit"]


class TextOnlyPart(WireStruct, frozen=True):
    """Text, where no other part is allowed."""

    text: str
    type: Literal["text"]
    prompt_cache_breakpoint: CacheBreakpoint | UnsetType = UNSET


class TextPart(WireStruct, frozen=True, tag_field="type", tag="text"):
    """Text beside other parts."""

    text: str
    prompt_cache_breakpoint: CacheBreakpoint | UnsetType = UNSET


class RefusalPart(WireStruct, frozen=True, tag_field="type", tag="refusal"):
    """An assistant's refusal."""

    refusal: str


class ImageUrl(WireStruct, frozen=True):
    """An image; the rules allow only `data:` URLs."""

    url: str
    detail: Literal["auto", "low", "high"] | UnsetType = UNSET


class ImagePart(WireStruct, frozen=True, tag_field="type", tag="image_url"):
    """An image."""

    image_url: ImageUrl
    prompt_cache_breakpoint: CacheBreakpoint | UnsetType = UNSET


class InputAudio(WireStruct, frozen=True):
    """Sound, in base64."""

    data: str
    format: Literal["wav", "mp3"]


class AudioPart(WireStruct, frozen=True, tag_field="type", tag="input_audio"):
    """Sound."""

    input_audio: InputAudio
    prompt_cache_breakpoint: CacheBreakpoint | UnsetType = UNSET


class FileData(WireStruct, frozen=True):
    """A file; the rules allow only its content, neither a URL nor an id."""

    file_data: str | UnsetType = UNSET
    file_id: str | UnsetType = UNSET
    filename: str | UnsetType = UNSET


class FilePart(WireStruct, frozen=True, tag_field="type", tag="file"):
    """A file."""

    file: FileData
    prompt_cache_breakpoint: CacheBreakpoint | UnsetType = UNSET


TextContent: TypeAlias = str | list[TextOnlyPart]
UserPart: TypeAlias = TextPart | ImagePart | AudioPart | FilePart
UserContent: TypeAlias = str | list[UserPart]
AssistantContent: TypeAlias = str | list[TextPart | RefusalPart]


class FunctionCall(WireStruct, frozen=True):
    """A function that the model called; `arguments` is JSON as text, as the model wrote it."""

    arguments: str
    name: str
    parsed_arguments: Raw | UnsetType = UNSET


class CustomCall(WireStruct, frozen=True):
    """A custom tool that the model called."""

    input: str
    name: str


class FunctionToolCall(WireStruct, frozen=True, tag_field="type", tag="function"):
    """A call of a function tool."""

    id: str
    function: FunctionCall
    index: int | UnsetType = UNSET


class CustomToolCall(WireStruct, frozen=True, tag_field="type", tag="custom"):
    """A call of a custom tool."""

    id: str
    custom: CustomCall
    index: int | UnsetType = UNSET


class AudioReference(WireStruct, frozen=True):
    """An earlier spoken answer."""

    id: str


class UrlCitation(WireStruct, frozen=True):
    """Where in an answer which page is cited."""

    end_index: int
    start_index: int
    title: str
    url: str


class Annotation(WireStruct, frozen=True):
    """A citation in an earlier answer."""

    type: Literal["url_citation"]
    url_citation: UrlCitation


class LegacyCall(WireStruct, frozen=True):
    """A call in the form before tools."""

    arguments: str
    name: str


class SystemMessage(WireStruct, frozen=True, tag_field="role", tag="system"):
    """The application's instructions."""

    content: TextContent
    name: str | UnsetType = UNSET


class DeveloperMessage(WireStruct, frozen=True, tag_field="role", tag="developer"):
    """The application's instructions, as newer models name them."""

    content: TextContent
    name: str | UnsetType = UNSET


class UserMessage(WireStruct, frozen=True, tag_field="role", tag="user"):
    """What a person asks."""

    content: UserContent
    name: str | UnsetType = UNSET


class AssistantMessage(WireStruct, frozen=True, tag_field="role", tag="assistant"):
    """An earlier answer."""

    content: AssistantContent | UnsetType | None = UNSET
    tool_calls: Annotated[list[FunctionToolCall | CustomToolCall], Meta(max_length=LIMITS.tool_calls)] | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    name: str | UnsetType = UNSET
    audio: AudioReference | UnsetType | None = UNSET
    function_call: LegacyCall | UnsetType | None = UNSET
    annotations: Annotated[list[Annotation], Meta(max_length=LIMITS.parts)] | UnsetType | None = UNSET
    reasoning: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType | None = UNSET
    parsed: Raw | UnsetType = UNSET


class ToolMessage(WireStruct, frozen=True, tag_field="role", tag="tool"):
    """What a tool answered."""

    content: TextContent
    tool_call_id: str
    name: str | UnsetType = UNSET


class FunctionMessage(WireStruct, frozen=True, tag_field="role", tag="function"):
    """What a function answered, in the form before tools."""

    content: str | None
    name: str


Message: TypeAlias = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage
