"""The seam between what must fit into a window or budget and what knows how many tokens that is.

Implementations side by side: `bound` (bytes), `local` over `tokenizer` (tiktoken's tables, a `tokenizer.json`), `vllm` (asks
the server), `fake` (the built-in upstream's own rule), `largest` (a route whose servers count differently).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

from gateway.wire.message import Message
from gateway.wire.tool import Tool

INLINE_CHARS = 16_384
"""So many characters are counted at once; more are counted in a thread, since it may take over 5 ms."""


class Count(int):
    """A number of tokens: what the server will count where `exact`, otherwise never less than that.

    Sums and the like are plain integers again.
    """

    exact: bool

    def __new__(cls, tokens: int, *, exact: bool) -> Self:
        """Make a count of `tokens`."""
        count = super().__new__(cls, tokens)
        count.exact = exact
        return count


class Counter(Protocol):
    """Counts tokens as a route's server does, or bounds them."""

    @property
    def name(self) -> str:
        """What it counts by: "bound", "fake", "upstream", an encoding or a file."""

    @property
    def exact(self) -> bool:
        """Whether messages of plain text are counted and not bounded, as a rule; each `Count` tells it of itself."""

    async def texts(self, texts: Sequence[str]) -> list[Count]:
        """Return the tokens of each text by itself; control tokens in a text may be counted as the text that they are."""

    async def messages(self, messages: Sequence[Message], *, tools: Sequence[Tool] = ()) -> Count:
        """Return the tokens of a prompt: messages and tools, with all that a chat template adds.

        Never raises because of what it counts or asks: what cannot be counted is bounded, and the count is not `exact`.
        """
