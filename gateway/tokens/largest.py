"""A route whose servers count differently: no server may be sent more than fits."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.tokens.contract import Count, Counter
from gateway.wire.message import Message
from gateway.wire.tool import Tool


class Largest:
    """The largest count of several counters; exact only where all agree."""

    exact = False

    def __init__(self, counters: Sequence[Counter]) -> None:
        self._counters = counters

    @property
    def name(self) -> str:
        """The names of all, such as "upstream, o200k_base"."""
        return ", ".join(counter.name for counter in self._counters)

    async def texts(self, texts: Sequence[str]) -> list[Count]:
        """Return the largest count of each text."""
        counted = [await counter.texts(texts) for counter in self._counters]
        return [_largest(counts) for counts in zip(*counted, strict=True)]

    async def messages(self, messages: Sequence[Message], *, tools: Sequence[Tool] = ()) -> Count:
        """Return the largest count of a prompt."""
        return _largest([await counter.messages(messages, tools=tools) for counter in self._counters])


def _largest(counts: Sequence[Count]) -> Count:
    return Count(max(counts), exact=len(set(counts)) == 1 and all(count.exact for count in counts))
