"""What is left of budgets' limits, as a caller may be told: of several budgets the one with the least left. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.budget import gcra
from gateway.budget.contract import Headroom
from gateway.budget.pot import Period

MILLISECOND: Final = 1_000


def requests(periods: Sequence[Period], steady: int) -> Headroom | None:
    """Return what is left of requests per minute; None where no budget limits them."""
    best: Headroom | None = None
    for period in periods:
        pot = period.pot
        if pot.requests is not None:
            arrival, rest = pot.request_arrival, pot.request_rest
            left = gcra.remaining(arrival, rest, steady, per_minute=pot.requests)
            if best is None or left < best.remaining:
                best = Headroom(pot.requests, left, -(-gcra.reset(arrival, rest, steady) // MILLISECOND))
    return best


def token_rate(periods: Sequence[Period], steady: int) -> Headroom | None:
    """Return what is left of tokens per minute; None where no budget limits them."""
    best: Headroom | None = None
    for period in periods:
        pot = period.pot
        if pot.rate is not None:
            arrival, rest = pot.token_arrival, pot.token_rest
            left = gcra.remaining(arrival, rest, steady, per_minute=pot.rate)
            if best is None or left < best.remaining:
                best = Headroom(pot.rate, left, -(-gcra.reset(arrival, rest, steady) // MILLISECOND))
    return best


def tokens(periods: Sequence[Period], wall: int, steady: int) -> Headroom | None:
    """Return what is left of tokens, of the minute or of a window, whichever is less; None where no budget limits them."""
    best: Period | None = None
    least = -1
    for period in periods:
        if period.pot.limits.tokens is not None:
            left = period.pot.tokens - period.tokens
            if best is None or left < least:
                best, least = period, left
    rate = token_rate(periods, steady)
    if best is None or (rate is not None and rate.remaining <= least):
        return rate
    reset = None if best.pot.limits.window == "total" else -(-max(0, best.ends - wall) // MILLISECOND)
    return Headroom(best.pot.tokens, max(0, least), reset)
