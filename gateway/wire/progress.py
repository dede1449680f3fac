"""How far a stream has come: which choices have ended, and how; pure.

A stream is complete when every choice has a finish_reason and no error event came; that its body ended cleanly is for the
one who read it to say. A missing `[DONE]` is no failure, and one that follows an error does not mend it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.exchange.usage import Usage
from gateway.wire.answer import Body, WireError, usage_of


class StreamProgress:
    """Follows the chunks of one answer of `n` choices, as `read_chunk` gave them."""

    __slots__ = ("_failed", "_finish", "_n", "_usage")

    def __init__(self, n: int = 1) -> None:
        self._n = n
        self._finish: dict[int, str] = {}
        self._usage: Any = None
        self._failed = False

    def feed(self, chunks: Iterable[Body]) -> None:
        """Take the chunks of one read; raises `WireError` for a choice that was not asked for."""
        for chunk in chunks:
            if "error" in chunk:
                self._failed = True
                continue
            for choice in chunk["choices"]:
                if not 0 <= choice["index"] < self._n:
                    raise WireError("a choice that was not asked for")
                if finish := choice.get("finish_reason"):
                    self._finish.setdefault(choice["index"], finish)
            if usage := chunk.get("usage"):
                self._usage = usage  # not the chunk: the usage may be taken out of it before it is delivered

    @property
    def complete(self) -> bool:
        """Whether every choice has ended and nothing failed."""
        return len(self._finish) == self._n and not self._failed

    @property
    def failed(self) -> bool:
        """Whether an error event came."""
        return self._failed

    @property
    def finish(self) -> str:
        """The finish_reasons so far, each once, in the order of the choices, parted by commas; empty while there is none."""
        return ",".join(dict.fromkeys(self._finish[index] for index in sorted(self._finish)))

    @property
    def usage(self) -> Usage | None:
        """The usage that was reported last (with continuous usage, that of an unfinished answer), or None."""
        return usage_of({"usage": self._usage})
