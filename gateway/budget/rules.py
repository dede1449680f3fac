"""What budgets say to an attempt that does not simply fit: shortened to what, or refused by which and for how long. Pure.

Invariants
- An answer is shortened by tokens and cost only, never by rates; not below `min_output_tokens` of any budget that is short;
  and only where every budget that is short allows it.
- What was shortened fits every budget; what is refused is refused by the obstacle that lasts longest, and the first of equals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from gateway.budget import window
from gateway.budget.contract import CONCURRENT_RETRY_MS, Ask, Dimension, Extension, Price, Refusal
from gateway.budget.money import most_cost, most_output
from gateway.budget.pot import Period

MILLISECOND: Final = 1_000
FREE: Final = Price(input=0, output=0, cached=0, reasoning=0)

Wish = Ask | Extension


@dataclass(frozen=True, slots=True)
class Times:
    """The wall clock and the steady one, in microseconds."""

    wall: int
    steady: int


def tokens_of(wish: Wish, output: int) -> int:
    """Return the tokens that an attempt takes at most when each choice has that output."""
    return wish.input + output * wish.choices


def cost_of(wish: Wish, output: int) -> int:
    """Return what an attempt costs at most when each choice has that output; nothing where it has no price."""
    return most_cost(wish.price or FREE, wish.input, output * wish.choices)


def fitting(wish: Wish, periods: Sequence[Period]) -> int:
    """Return the output of one choice, at most what is asked, that all have room for; negative where not even the input fits."""
    fits = wish.output
    for period in periods:
        fits = min(fits, (period.pot.tokens - period.tokens - wish.input) // wish.choices)
        paid = most_output(wish.price or FREE, wish.input, period.pot.cost - period.cost)
        if paid is not None:
            fits = min(fits, paid // wish.choices)
    return fits


def judge(wish: Wish, periods: Sequence[Period], times: Times) -> int | Refusal:
    """Return the output that one choice may have, or why the attempt is refused."""
    fits = fitting(wish, periods)
    short = [period for period in periods if _is_short(wish, period)]
    output = wish.output
    obstacles: list[Refusal] = []
    if short:
        least = max(period.pot.limits.min_output_tokens for period in short)
        if wish.shorten and fits >= least and all(period.pot.limits.on_exceed == "shorten" for period in short):
            output = fits
        else:
            obstacles += [refusal for period in short for refusal in _exceeded(wish, period, times.wall)]
    for period in periods:
        obstacles += _other_obstacles(wish, period, output=output, times=times)
    if not obstacles:
        return output
    place = {period.pot.limits.name: number for number, period in enumerate(periods)}
    obstacles.sort(key=lambda refusal: place[refusal.budget])
    worst = max(obstacles, key=lambda refusal: window.NEVER if refusal.retry_after_ms is None else refusal.retry_after_ms)
    return structs.replace(worst, fits=max(0, fits))


def _is_short(wish: Wish, period: Period) -> bool:
    return (
        tokens_of(wish, wish.output) > period.pot.tokens - period.tokens
        or cost_of(wish, wish.output) > period.pot.cost - period.cost
    )


def _exceeded(wish: Wish, period: Period, now: int) -> Iterator[Refusal]:
    pot = period.pot
    limits = pot.limits
    shortens = wish.shorten and limits.on_exceed == "shorten"
    least = min(wish.output, limits.min_output_tokens) if shortens else wish.output
    until = _until_next(period, now)
    if tokens_of(wish, wish.output) > pot.tokens - period.tokens:
        yield Refusal(limits.name, "tokens", until if tokens_of(wish, least) <= pot.tokens else None)
    if cost_of(wish, wish.output) > pot.cost - period.cost:
        yield Refusal(limits.name, "cost", until if cost_of(wish, least) <= pot.cost else None)


def _until_next(period: Period, now: int) -> int | None:
    """Return the milliseconds until the budget's next window, None where there is none."""
    kind = period.pot.limits.window
    return None if kind == "total" else _milliseconds(window.bounds(kind, now)[1] - now)


def _other_obstacles(wish: Wish, period: Period, *, output: int, times: Times) -> Iterator[Refusal]:
    pot = period.pot
    first = isinstance(wish, Ask)
    if wish.price is None and pot.limits.cost is not None:
        yield Refusal(pot.limits.name, "price", None)
    if first:
        yield from _rate(pot.limits.name, "requests_per_minute", pot.request_wait(times.steady))
    yield from _rate(pot.limits.name, "tokens_per_minute", pot.token_wait(tokens_of(wish, output), times.steady))
    if first and pot.open >= pot.concurrent:
        yield Refusal(pot.limits.name, "max_concurrent", CONCURRENT_RETRY_MS if pot.concurrent else None)


def _rate(budget: str, dimension: Dimension, wait: int | None) -> Iterator[Refusal]:
    if wait != 0:
        yield Refusal(budget, dimension, None if wait is None else _milliseconds(wait))


def _milliseconds(microseconds: int) -> int:
    return -(-microseconds // MILLISECOND)
