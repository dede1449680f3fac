"""Money in whole millionths: never a float, rounded up once for each attempt. Pure."""

from __future__ import annotations

from decimal import Decimal

from gateway.budget.contract import MICROS, MOST, Price
from gateway.exchange.usage import Usage
from gateway.settings.tree import Price as PriceSettings


def micros(money: Decimal) -> int:
    """Return an amount in millionths; amounts of gateway.toml have no smaller fractions."""
    return int(money * MICROS)


def price(settings: PriceSettings) -> Price:
    """Return a price of gateway.toml in millionths for a million tokens."""
    return Price(
        input=micros(settings.input),
        output=micros(settings.output),
        cached=micros(settings.input if settings.cached is None else settings.cached),
        reasoning=micros(settings.output if settings.reasoning is None else settings.reasoning),
    )


def most_cost(price: Price, tokens_in: int, tokens_out: int) -> int:
    """Return what so many tokens cost at most, whichever of them are cached or reasoning; `MOST` + 1 stands for all above."""
    # A call of max() costs as much as all else here.
    dear_in = price.input if price.input >= price.cached else price.cached  # noqa: FURB136
    dear_out = price.output if price.output >= price.reasoning else price.reasoning  # noqa: FURB136
    cost = -(-(tokens_in * dear_in + tokens_out * dear_out) // MICROS)
    return cost if cost <= MOST else MOST + 1


def most_output(price: Price, tokens_in: int, cost: int) -> int | None:
    """Return how many tokens of output `cost` pays for beside the input, negative where not even that; None for any number."""
    dear_in = max(price.input, price.cached)
    dear_out = max(price.output, price.reasoning)
    left = cost * MICROS - tokens_in * dear_in
    if dear_out:
        return left // dear_out
    return None if left >= 0 else -1


def used_cost(price: Price, usage: Usage) -> int:
    """Return what a usage costs: never more than `most_cost` of its input and output."""
    cached = min(usage.cached, usage.input)
    reasoning = min(usage.reasoning, usage.output)
    parts = (
        (usage.input - cached) * price.input
        + cached * price.cached
        + (usage.output - reasoning) * price.output
        + reasoning * price.reasoning
    )
    return min(-(-parts // MICROS), MOST + 1)
