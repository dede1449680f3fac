"""Tokens without a tokenizer: there can never be more.

A token of any tokenizer in use stands for at least one byte of UTF-8: byte-level BPE begins with the 256 bytes, SentencePiece
falls back to them. What may lengthen a text before it is cut is counted, too: normalisation to NFC, which makes three of some
characters' bytes nine. Normalisation to NFKC, which no chat model's tokenizer in common use asks for, is not.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Sequence

from gateway.tokens.contract import INLINE_CHARS, Count
from gateway.tokens.frame import BOUND_FRAME
from gateway.tokens.pieces import Pieces, growth, pieces_of
from gateway.wire.message import Message
from gateway.wire.tool import Tool

NORMALISED_CHARS = 8_192
"""So many characters are normalised at a time, which takes 2 ms at worst: the interpreter does nothing else meanwhile."""


def text_bound(text: str) -> int:
    """Return how many tokens a text has at most: its bytes in UTF-8, as it is or in NFC, whichever are more."""
    if text.isascii():
        return len(text)
    if len(text) <= NORMALISED_CHARS:
        return _bytes(text)
    return sum(_bytes(text[start : start + NORMALISED_CHARS]) for start in range(0, len(text), NORMALISED_CHARS))


def json_bound(json: str) -> int:
    """Return how many tokens JSON has at most, also when a template writes it anew."""
    return text_bound(json) + growth(json)


def bound(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
    """Return how many tokens a prompt has at most, with all that a chat template adds.

    Takes about 1 ms per 500 kB of text that is not ASCII, at worst 280 ms per MB: `BoundCounter` does that in a thread.
    """
    return bound_of(pieces_of(messages, tools))


def bound_of(pieces: Pieces) -> int:
    """Return how many tokens the pieces of a prompt have at most."""
    return sum(map(text_bound, pieces.texts)) + sum(map(json_bound, pieces.json)) + BOUND_FRAME.around(pieces)


class BoundCounter:
    """Bounds tokens by bytes."""

    name = "bound"
    exact = False

    async def texts(self, texts: Sequence[str]) -> list[Count]:
        """Return the most tokens that each text can have."""
        if slow(texts):
            return await asyncio.to_thread(_bounds, texts)
        return _bounds(texts)

    async def messages(self, messages: Sequence[Message], *, tools: Sequence[Tool] = ()) -> Count:
        """Return the most tokens that a prompt can have."""
        pieces = pieces_of(messages, tools)
        if slow(pieces.texts) or sum(map(len, pieces.json)) > INLINE_CHARS:
            return Count(await asyncio.to_thread(bound_of, pieces), exact=False)
        return Count(bound_of(pieces), exact=False)


def slow(texts: Sequence[str]) -> bool:
    """Tell whether bounding the texts may take over 5 ms; of plain ASCII nothing but the length is looked at."""
    return sum(0 if text.isascii() else len(text) for text in texts) > INLINE_CHARS


def _bounds(texts: Sequence[str]) -> list[Count]:
    return [Count(text_bound(text), exact=False) for text in texts]


def _bytes(text: str) -> int:
    size = _size(text)
    return size if unicodedata.is_normalized("NFC", text) else max(size, _size(unicodedata.normalize("NFC", text)))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
