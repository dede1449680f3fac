"""What a decoded chat request must hold to beyond its types: parts, media, fields that belong together.

Media is taken as data only: a server that fetches URLs for a caller is a door into its own network, and a file's id names
something in the operator's account that another tenant may have put there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import force_setattr

from gateway.errors import InvalidRequest
from gateway.wire import message
from gateway.wire.constraint import Constraints
from gateway.wire.limits import LIMITS
from gateway.wire.prompt import PREFIX

if TYPE_CHECKING:
    from gateway.wire.chat import ChatRequest


def check(request: ChatRequest) -> None:
    """Raise `InvalidRequest` for the first rule that does not hold; bring free-form JSON into its normal form."""
    if not request.messages and not names_prompt(request):
        raise InvalidRequest(f"messages must have 1 to {LIMITS.messages} items.", param="messages")
    _check_messages(request.messages)
    if request.stream_options and request.stream is not True:
        raise InvalidRequest("stream_options needs stream to be true.", param="stream_options")
    if (
        request.tools
        or request.tool_choice
        or request.functions
        or request.response_format
        or request.structured_outputs
        or request.chat_template_kwargs is not UNSET
    ):
        Constraints().check(request)


def names_prompt(request: ChatRequest) -> bool:
    """Tell whether a request asks for a released prompt, in either form."""
    return request.prompt is not UNSET or request.model.startswith(PREFIX)


def _check_messages(messages: list[message.Message]) -> None:
    parts = 0
    for index, given in enumerate(messages):
        content = given.content
        if isinstance(content, list):
            parts += len(content)
            if parts > LIMITS.parts:
                raise InvalidRequest(f"More than {LIMITS.parts} content parts.", param=f"messages[{index}].content")
        if isinstance(given, message.UserMessage):
            if isinstance(given.content, list):
                _check_media(given.content, f"messages[{index}].content")
        elif isinstance(given, message.AssistantMessage):
            _drop_echoes(given)


def _check_media(parts: list[message.UserPart], path: str) -> None:
    for index, part in enumerate(parts):
        if isinstance(part, message.ImagePart):
            _refuse_url(part.image_url.url, f"{path}[{index}].image_url.url", bare=False)
        elif isinstance(part, message.AudioPart):
            _refuse_url(part.input_audio.data, f"{path}[{index}].input_audio.data", bare=True)
        elif isinstance(part, message.FilePart):
            if part.file.file_id is not UNSET:
                raise InvalidRequest("Files are taken as file_data, not by their id.", param=f"{path}[{index}].file.file_id")
            if part.file.file_data is not UNSET:
                _refuse_url(part.file.file_data, f"{path}[{index}].file.file_data", bare=True)


def _refuse_url(text: str, param: str, *, bare: bool) -> None:
    """Refuse what is neither a `data:` URL nor, where `bare` allows it, base64 (which has no colon)."""
    if text.startswith("data:") or (bare and ":" not in text):
        return
    raise InvalidRequest("Media is taken as a data: URL; nothing is fetched for a caller.", param=param)


def _drop_echoes(given: message.AssistantMessage) -> None:
    """Forget what the official SDK adds to an answer and sends back: copies of fields that are passed on."""
    if given.parsed is not UNSET:
        force_setattr(given, "parsed", UNSET)
    for call in given.tool_calls or ():
        if call.index is not UNSET:
            force_setattr(call, "index", UNSET)
        if isinstance(call, message.FunctionToolCall) and call.function.parsed_arguments is not UNSET:
            force_setattr(call.function, "parsed_arguments", UNSET)
