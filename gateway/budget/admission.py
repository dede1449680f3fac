"""Asking a ledger for an exchange: by bound while that fits, counted only near a limit.

A bound by bytes costs nothing and is several times what is used; the difference comes back when the exchange is settled. Near a
limit it would refuse what fits, or shorten it: there the prompt is counted as exactly as its route can, and asked for again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import structs

from gateway.budget.contract import Ask, Dimension, Ledger, Refusal, Reservation

COUNTABLE: Final[frozenset[Dimension]] = frozenset({"tokens", "cost", "tokens_per_minute"})
"""What fewer tokens may help against."""


async def admit(ledger: Ledger, ask: Ask, count: Callable[[], Awaitable[int]]) -> Reservation | Refusal:
    """Reserve what an exchange asks for; `count` gives the prompt's tokens exactly, or as the ask has them.

    Nothing is shortened by a bound. Raises what ledger and `count` raise.
    """
    found = await ledger.reserve(structs.replace(ask, shorten=False) if ask.shorten else ask)
    if isinstance(found, Reservation) or found.dimension not in COUNTABLE:
        return found
    counted = min(ask.input, await count())
    if counted == ask.input and not ask.shorten:
        return found
    return await ledger.reserve(structs.replace(ask, input=counted))
