"""Counts by a tokenizer on this machine, and adds what the route's chat template writes around the texts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.tokens.bound import BoundCounter
from gateway.tokens.contract import INLINE_CHARS, Count
from gateway.tokens.frame import Frame
from gateway.tokens.pieces import growth, pieces_of
from gateway.tokens.tokenizer import Tokenizer
from gateway.wire.message import Message
from gateway.wire.tool import Tool


class LocalCounter:
    """Counts texts with `tokenizer` and takes what stands around them from `frame`; bounds while the tokenizer is unusable.

    Calls, tools and what is no text are bounded in any case: how a template writes them is not known here.
    """

    def __init__(self, tokenizer: Tokenizer, frame: Frame) -> None:
        self._tokenizer = tokenizer
        self._frame = frame
        self._bound = BoundCounter()

    @property
    def name(self) -> str:
        """The encoding or file that it counts by, "bound" where that cannot be used."""
        return self._bound.name if self._tokenizer.problem else self._tokenizer.name

    @property
    def exact(self) -> bool:
        """Whether the server's own figures are known."""
        return self._frame.exact and not self._tokenizer.problem

    async def texts(self, texts: Sequence[str]) -> list[Count]:
        """Return the tokens of each text."""
        if not await self._tokenizer.usable():
            return await self._bound.texts(texts)
        return await self._tokenizer.counts(texts)

    async def messages(self, messages: Sequence[Message], *, tools: Sequence[Tool] = ()) -> Count:
        """Return the tokens of a prompt."""
        if not await self._tokenizer.usable():
            return await self._bound.messages(messages, tools=tools)
        pieces = pieces_of(messages, tools)
        counts = await self._tokenizer.counts([*pieces.texts, *pieces.json])
        rewritten = await _growth(pieces.json)
        exact = self._frame.exact and pieces.plain and all(count.exact for count in counts)
        return Count(sum(counts) + rewritten + self._frame.around(pieces), exact=exact)


async def _growth(json: Sequence[str]) -> int:
    if sum(map(len, json)) > INLINE_CHARS:
        return await asyncio.to_thread(lambda: sum(map(growth, json)))
    return sum(map(growth, json))
