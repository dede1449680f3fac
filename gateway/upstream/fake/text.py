"""Words and counts: how the fake cuts text into tokens and what it says a prompt is worth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

_token = re.compile(r"\s*\S{1,8}|\s+")

MESSAGE_TOKENS = 4
"""What the frame around one message costs."""

BYTES_PER_TOKEN = 4


def tokens(text: str) -> Iterator[str]:
    """Yield the tokens of a text: white space and up to eight characters of a word; joined they are the text again."""
    return (found.group() for found in _token.finditer(text))


def take(text: str, limit: int) -> tuple[tuple[str, ...], bool]:
    """Return the first `limit` tokens, and whether there were more."""
    stream = tokens(text)
    kept = tuple(islice(stream, limit))
    return kept, next(stream, None) is not None


def numbered(count: int) -> str:
    """Return a text of exactly `count` tokens."""
    return " ".join(f"w{number}" for number in range(1, count + 1))


def cut_at(text: str, stops: Iterable[str]) -> tuple[str, str | None]:
    """Return the text up to the first of the stop strings in it, and which one that was."""
    found = [(at, stop) for stop in stops if stop and (at := text.find(stop)) >= 0]
    if not found:
        return text, None
    at, stop = min(found)
    return text[:at], stop


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message, whose content is a string, a list of parts, or nothing."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def prompt_tokens(messages: Iterable[Mapping[str, Any]], extra: bytes = b"") -> int:
    """Return what a prompt is worth: four a message, and one for every four bytes of text and of `extra` (tools)."""
    total = -(-len(extra) // BYTES_PER_TOKEN)
    for message in messages:
        size = len(text_of(message).encode("utf-8", "surrogatepass"))
        total += MESSAGE_TOKENS - (-size // BYTES_PER_TOKEN)
    return total
