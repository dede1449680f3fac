"""A tokenizer on this machine: loaded when first needed, counting in a thread what would hold the event loop up.

Invariants
- Neither loading nor counting takes the event loop more than 5 ms; loading happens once, however many wait for it.
- A text above `slices.SLICE_CHARS` is counted in parts; a part that must not be counted is bounded, and its count not exact.
- Control tokens in a text count as the text that they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from threading import Lock
from typing import TypeAlias

from gateway.errors import GatehouseError
from gateway.tokens.bound import text_bound
from gateway.tokens.cache import LONGEST, SHORTEST, CountCache, digest
from gateway.tokens.contract import INLINE_CHARS, Count
from gateway.tokens.slices import SLICE_CHARS, slices_of

Encode: TypeAlias = Callable[[str], int]
"""Returns the number of tokens of a text that holds no lone surrogates."""

INLINE_TEXTS = 256
"""So many texts are counted at once; more in a thread."""


class TokenizerUnavailable(GatehouseError):
    """A tokenizer cannot be used; the message says why and what to do, and follows "tokens are bounded, not counted: "."""


class Tokenizer:
    """Counts the tokens of texts with what `load` returns; `name` tells which it is.

    `load` is called once, in one of the `threads`, and raises `TokenizerUnavailable`. `inline_chars` are counted without a
    thread: as many as take 3 ms. `parts_exact` tells that the parts of a text have as many tokens as the text
    (`gateway.tokens.slices`).
    """

    def __init__(
        self,
        name: str,
        load: Callable[[], Encode],
        *,
        threads: Executor,
        inline_chars: int = INLINE_CHARS,
        parts_exact: bool = True,
        cache: CountCache | None = None,
    ) -> None:
        self.name = name
        self._load = load
        self._threads = threads
        self._inline_chars = inline_chars
        self._parts_exact = parts_exact
        self._cache = CountCache() if cache is None else cache
        self._loading: Future[Encode] | None = None
        self._starting = Lock()

    @property
    def problem(self) -> str:
        """Why it cannot be used; empty where it can, or has not been tried."""
        loading = self._loading
        if loading is None or not loading.done():
            return ""
        error = loading.exception()
        if error is None or isinstance(error, TokenizerUnavailable):
            return str(error or "")
        return f"{self.name} could not be loaded ({type(error).__name__})"

    async def usable(self) -> bool:
        """Load it if that has not been done, and tell whether it can be used."""
        return await self._ready() is not None

    async def counts(self, texts: Sequence[str]) -> list[Count]:
        """Return the tokens of each text; bounds where it cannot be used."""
        encode = await self._ready()
        if len(texts) <= INLINE_TEXTS and sum(map(len, texts)) <= self._inline_chars:
            return self._count(encode, texts)
        return await asyncio.wrap_future(self._threads.submit(self._count, encode, texts))

    async def _ready(self) -> Encode | None:
        with self._starting:
            if self._loading is None:
                self._loading = self._threads.submit(self._load)
        loading = self._loading
        if not loading.done():
            # Not awaited itself: who stops waiting must not stop the loading, for which others wait.
            waiting = asyncio.wrap_future(loading)
            waiting.add_done_callback(_heard)
            await asyncio.wait((waiting,))
        return None if loading.exception() else loading.result()

    def _count(self, encode: Encode | None, texts: Sequence[str]) -> list[Count]:
        if encode is None:
            return [Count(text_bound(text), exact=False) for text in texts]
        return [self._one(encode, text) for text in texts]

    def _one(self, encode: Encode, text: str) -> Count:
        try:
            data = text.encode()
        except UnicodeEncodeError:
            # A lone surrogate, which no tokenizer takes: what a server makes of it is one character, too.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            data = text.encode()
        if not SHORTEST <= len(text) <= LONGEST:
            return self._counted(encode, text)
        key = digest(data)
        known = self._cache.get(key)
        if known is None:
            known = self._counted(encode, text)
            self._cache.put(key, known)
        return known

    def _counted(self, encode: Encode, text: str) -> Count:
        if len(text) <= SLICE_CHARS:
            return Count(encode(text), exact=True)
        slices = slices_of(text)
        tokens = sum(map(encode, slices.counted)) + sum(map(text_bound, slices.uncounted))
        return Count(tokens, exact=self._parts_exact and not slices.uncounted)


def _heard(waiting: asyncio.Future[Encode]) -> None:
    """Take note of a failure, of which asyncio would complain when nobody did; `loading` tells it to all who ask."""
    if not waiting.cancelled():
        waiting.exception()
