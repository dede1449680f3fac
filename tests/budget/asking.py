"""Short ways to ask a ledger, and what a test expects of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.budget.contract import Amount, Ask, Ledger, Limits, Price, Refusal, Reservation, Standing
from tests.budget.places import Open, Place

Story = Callable[[Ledger, Place], Awaitable[None]]

PENNY = Price(input=1_000_000, output=1_000_000, cached=1_000_000, reasoning=1_000_000)
"""A millionth for every token."""


def tell(opened: Open, story: Story, *limits: Limits) -> None:
    """Run a story over an empty ledger with these limits."""

    async def run() -> None:
        async with opened() as place:
            place.ledger.limit(limits)
            await story(place.ledger, place)

    asyncio.run(run())


def ask(name: str, output: int, *budgets: str, **more: object) -> Ask:
    """Return an ask of nothing but output, on these budgets."""
    return Ask(**{"id": name, "budgets": budgets, "input": 0, "output": output, "price": PENNY, **more})  # type: ignore[arg-type]


async def reserved(ledger: Ledger, asked: Ask) -> Reservation:
    """Reserve what must be admitted."""
    found = await ledger.reserve(asked)
    assert isinstance(found, Reservation), found
    return found


async def refused(ledger: Ledger, asked: Ask) -> Refusal:
    """Ask for what must be refused."""
    found = await ledger.reserve(asked)
    assert isinstance(found, Refusal), found
    return found


async def spend(ledger: Ledger, name: str, tokens: int, *budgets: str) -> None:
    """Reserve and use up so many tokens, at a millionth each."""
    await reserved(ledger, ask(name, tokens, *budgets))
    settlement = await ledger.settle(name, Amount(tokens, tokens))
    assert settlement.ended == "settled", settlement


async def standing(ledger: Ledger, name: str) -> Standing:
    """Return how one budget stands."""
    [found] = await ledger.standings([name])
    return found


async def sums(ledger: Ledger, name: str) -> tuple[int, int, int]:
    """Return the tokens of one budget that are settled and reserved, and how many reservations are open on it."""
    found = await standing(ledger, name)
    return found.settled.tokens, found.reserved.tokens, found.open
