"""Bodies as people read them: what was asked, what was answered. Pure; the exact bytes are elsewhere.

Nothing here can fail: what is not understood is shown as it stands. Signs that a terminal would obey, or that hide or turn text,
are shown as their code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec


def printable(text: str) -> str:
    """Return a text in which every sign but a line's end is one that can be seen."""
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(each if each.isprintable() or each == "\n" else f"\\u{ord(each):04x}" for each in text)


def body(data: bytes) -> str:
    """Return a body that is no known request or answer: JSON laid out, any other text as it is."""
    try:
        return printable(msgspec.json.format(data, indent=2).decode())
    except (msgspec.MsgspecError, UnicodeError):
        return printable(data.decode("utf-8", "backslashreplace"))


def prompt(data: bytes) -> list[tuple[str, str]]:
    """Return a chat request's messages as role and text; nothing where it is none."""
    return [_message(each) for each in _list(_decoded(data), "messages")]


def answer(data: bytes) -> list[tuple[str, str]]:
    """Return a chat answer's messages as role and text, one for each choice, whole or put together from a stream's events."""
    choices: dict[int, list[Any]] = {}
    for event in _events(data):
        for choice in _list(event, "choices"):
            if isinstance(choice, dict):
                message = choice.get("message") or choice.get("delta")
                choices.setdefault(_number(choice.get("index")), []).append(message)
    return [_joined(messages) for _, messages in sorted(choices.items())]


def _events(data: bytes) -> Iterator[Any]:
    """Yield a whole answer, or a stream's events."""
    whole = _decoded(data)
    if whole is not None:
        yield whole
        return
    for line in data.splitlines():
        if line.startswith(b"data: "):
            yield _decoded(line.removeprefix(b"data: "))


def _joined(messages: list[Any]) -> tuple[str, str]:
    role, parts = "", []
    for message in messages:
        name, text = _message(message)
        role = role or name
        parts.append(text)
    return role or "assistant", "".join(parts)


def _message(message: Any) -> tuple[str, str]:
    if not isinstance(message, dict):
        return "", ""
    role = message.get("role")
    text = "".join(_texts(message.get("content")))
    for call in _list(message, "tool_calls"):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            text += "".join(str(function.get(key) or "") for key in ("name", "arguments"))
    return printable(role) if isinstance(role, str) else "", printable(text)


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            text = part.get("text")
            yield text if isinstance(text, str) else f"[{part.get('type')}]"


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
