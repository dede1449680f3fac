"""How many exchanges an upstream works on at once."""

from __future__ import annotations

from types import TracebackType

from gateway.errors import Unavailable


class Slots:
    """At most `limit` exchanges in flight; `with slots:` takes one and gives it back on every path.

    Raises `Unavailable` (overloaded) when all are taken: the caller of the gateway gets 503 with `Retry-After: 1`.
    """

    __slots__ = ("in_flight", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0

    def __enter__(self) -> None:
        if self.in_flight >= self.limit:
            raise Unavailable("All places at the model's servers are taken; try again shortly.", retry_after=1.0)
        self.in_flight += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.in_flight -= 1
