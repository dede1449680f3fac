"""Rates by the generic cell rate algorithm (ITU-T I.371), in whole numbers and exact. Pure.

A rate remembers one time: when all that it admitted is regained (the theoretical arrival time). A minute's worth may come at
once, then it is regained evenly. A time is in whole microseconds, and the `rest` of one beside it in parts of a microsecond, of
which there are as many as the rate admits in a minute: so every amount lasts a whole number of them, and nothing is rounded.
"""

from __future__ import annotations

from typing import Final

MINUTE: Final = 60_000_000

Time = tuple[int, int]
"""Microseconds, and the rest beside them."""


def after(arrival: int, rest: int, now: int, *, amount: int, per_minute: int) -> Time:
    """Return the arrival time once an amount more is taken; up to a minute from now is admitted.

    An arrival time further away than a minute is one that a clock which went back left behind: a minute of waiting is enough.
    """
    whole, part = divmod(amount * MINUTE, per_minute)
    if arrival < now:
        return now + whole, part
    if arrival >= now + MINUTE:
        return now + MINUTE + whole, part
    part += rest
    if part >= per_minute:
        return arrival + whole + 1, part - per_minute
    return arrival + whole, part


def admits(arrival: int, rest: int, now: int, *, amount: int, per_minute: int) -> bool:
    """Tell whether an amount is admitted now: what `wait` says, without a division."""
    if arrival < now:
        return amount <= per_minute
    return not amount or (arrival - now) * per_minute + rest + amount * MINUTE <= per_minute * MINUTE


def wait(arrival: int, rest: int, now: int, *, amount: int, per_minute: int) -> int | None:
    """Return in how many microseconds an amount is admitted, 0 for now, None for never."""
    if amount > per_minute:
        return None
    if not amount:
        return 0
    then, part = after(arrival, rest, now, amount=amount, per_minute=per_minute)
    over = then - now - MINUTE + (part > 0)
    return max(0, over)


def given_back(own: int, now: int, unused: int, *, per_minute: int) -> Time:
    """Return by how much the arrival time goes back when `unused` of one taking is given back.

    `own` is the arrival time at which that taking ends by now: what of it lies before `now` is regained already.
    """
    whole, part = divmod(unused * MINUTE, per_minute)
    left = own - now
    if whole < left:
        return whole, part
    return max(0, left), 0


def before(arrival: int, rest: int, back: Time, *, per_minute: int) -> Time:
    """Return the arrival time once so much was given back."""
    whole, part = back
    if part > rest:
        return arrival - whole - 1, rest - part + per_minute
    return arrival - whole, rest - part


def remaining(arrival: int, rest: int, now: int, *, per_minute: int) -> int:
    """Return how much would be admitted at once."""
    left = now + MINUTE - arrival
    if left >= MINUTE and not (left == MINUTE and rest):
        return per_minute
    return max(0, (left * per_minute - rest) // MINUTE)


def reset(arrival: int, rest: int, now: int) -> int:
    """Return in how many microseconds a minute's worth would be admitted at once."""
    return max(0, min(MINUTE, arrival + (rest > 0) - now))
