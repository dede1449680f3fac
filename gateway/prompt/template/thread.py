"""A thread: the messages that a caller gives for an input of kind `thread`.

They are held to the same types and rules as messages of a request, and to three roles: what the application instructs is the
prompt's to say. A fault is named by its place, and by no word of the caller's.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from gateway.errors import InvalidRequest
from gateway.wire import message
from gateway.wire.chat import ChatRequest
from gateway.wire.diagnosis import diagnose
from gateway.wire.limits import LIMITS
from gateway.wire.message import AssistantMessage, Message, ToolMessage, UserMessage, WireStruct
from gateway.wire.rules import check

ThreadMessage: TypeAlias = UserMessage | AssistantMessage | ToolMessage

_ROLES = (UserMessage, AssistantMessage, ToolMessage)
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_FIELDS = {"role", "type"}.union(
    *(kind.__struct_fields__ for kind in vars(message).values() if hasattr(kind, "__struct_fields__"))
)
_CODE = "prompt_variables_invalid"


class _Thread(WireStruct, frozen=True):
    messages: Annotated[list[ThreadMessage], Meta(max_length=LIMITS.messages)]


_decode = msgspec.json.Decoder(_Thread).decode
_encode = msgspec.json.Encoder().encode


def read_thread(value: Any, *, pointer: str = "") -> list[Message]:
    """Return the messages of a thread; one that is read already goes through as it is.

    Raises `InvalidRequest` with code prompt_variables_invalid; its `param` is `pointer` and the place below it, as a JSON
    pointer.
    """
    if isinstance(value, list) and all(isinstance(message, _ROLES) for message in value):
        return value
    try:
        raw = _encode({"messages": value})
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequest(f"{pointer} is not JSON.", code=_CODE, param=pointer) from None
    try:
        messages: list[Message] = [*_decode(raw).messages]
        if messages:
            check(ChatRequest(model="thread", messages=messages))
    except (msgspec.DecodeError, RecursionError) as error:
        raise _refusal(diagnose(raw, _Thread, error), pointer) from None
    except InvalidRequest as error:
        raise _refusal(error, pointer) from None
    return messages


def _refusal(error: InvalidRequest, pointer: str) -> InvalidRequest:
    """Return what is told of a message that does not fit; of a field that there is not, only where it stands."""
    param = error.param or ""
    place = "/".join([pointer, *_steps(param, unknown=error.code == "unsupported_field")])
    told = error.message.removeprefix(param) if param and error.message.startswith(param) else f": {error.message}"
    if error.code == "unsupported_field":
        told = " is not a supported field."
    return InvalidRequest(place + told, code=_CODE, param=place)


def _steps(param: str, *, unknown: bool) -> list[str]:
    """Return the steps of a path below the list of messages, without the last where that is unknown: it is a caller's word."""
    steps = []
    for found in list(_STEP.finditer(param))[1:]:
        if found[2] and found[2] not in _FIELDS:
            break
        steps.append(found[1] or found[2])
    else:
        steps = steps[:-1] if unknown else steps
    return [*steps, "?"] if unknown else steps
