"""Messages and tools for tests, read as a caller's are."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.wire.chat import read_chat_request
from gateway.wire.message import Message
from gateway.wire.tool import Tool

CALL = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"id":1e15,"of":[1,2]}'}}
TOOL = {"type": "function", "function": {"name": "lookup", "description": "Looks up.", "parameters": {"type": "object"}}}


def messages(*given: dict[str, Any]) -> list[Message]:
    """Return messages as `gateway.wire.chat` reads them."""
    return read_chat_request(msgspec.json.encode({"model": "m", "messages": given})).messages


def tools(*given: dict[str, Any]) -> list[Tool]:
    """Return tools as `gateway.wire.chat` reads them."""
    return msgspec.json.decode(msgspec.json.encode(given), type=list[Tool])


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    """Return a message."""
    return {"role": role, "content": content, **more}


def user(text: str) -> list[Message]:
    """Return one message of a user."""
    return messages(said("user", text))
