"""The sums of one budget: its remembered windows, its rates, how many exchanges hold a part of it. Pure: time is given.

Invariants
- A window that was used is never opened a second time from zero; see `gateway.budget.contract`.
"""

from __future__ import annotations

from typing import Final

from gateway.budget import gcra, window
from gateway.budget.contract import REMEMBERED, Limits
from gateway.settings.tree import BudgetWindow

UNLIMITED: Final = 2**62


class Period:
    """One window of a budget and what is taken of it: settled and reserved together; `ends` is the first time after it."""

    __slots__ = ("begins", "cost", "ends", "pot", "tokens")

    def __init__(self, pot: Pot, begins: int, ends: int) -> None:
        self.pot = pot
        self.begins = begins
        self.ends = ends
        self.tokens = 0
        self.cost = 0


class Pot:
    """One budget; times are microseconds.

    `tokens`, `cost` and `concurrent` are its limits, `UNLIMITED` where it has none; `requests` and `rate` (of tokens) are for a
    minute, None where they are not limited. Their arrival times with their rests are GCRA's, on the steady clock; `regained`
    sums up what was given back of tokens.
    """

    __slots__ = (
        "concurrent",
        "cost",
        "forgotten",
        "limits",
        "open",
        "period",
        "periods",
        "rate",
        "rated",
        "regained",
        "request_arrival",
        "request_rest",
        "requests",
        "token_arrival",
        "token_rest",
        "tokens",
    )

    def __init__(self, limits: Limits, now: int) -> None:
        self.open = 0
        self.request_arrival = self.request_rest = 0
        self.token_arrival = self.token_rest = 0
        self.regained = 0
        self.forgotten: list[window.Span] = []
        self.limits = limits
        self.period = Period(self, *window.bounds(limits.window, now))
        self.periods = [self.period]
        self._read(limits)

    def _read(self, limits: Limits) -> None:
        # The rests are parts of a microsecond by rates that may change now: they are rounded against who asks.
        self.request_arrival += self.request_rest > 0
        self.token_arrival += self.token_rest > 0
        self.request_rest = self.token_rest = 0
        self.limits = limits
        self.tokens = UNLIMITED if limits.tokens is None else limits.tokens
        self.cost = UNLIMITED if limits.cost is None else limits.cost
        self.concurrent = UNLIMITED if limits.max_concurrent is None else limits.max_concurrent
        self.requests = limits.requests_per_minute
        self.rate = limits.tokens_per_minute
        self.rated = self.requests is not None or self.rate is not None

    def at(self, now: int) -> Period:
        """Return the window that takes what is asked for at a time, and make it the one that was used last."""
        period = self.period
        if period.begins <= now < period.ends:
            return period
        begins, ends = window.bounds(self.limits.window, now)
        for place, known in enumerate(self.periods):
            if known.begins == begins:
                self.periods.append(self.periods.pop(place))
                self.period = known
                return known
        if window.holds(self.forgotten, begins):
            return period
        self.period = Period(self, begins, ends)
        self.periods.append(self.period)
        if len(self.periods) > REMEMBERED:
            oldest = self.periods.pop(0)
            if oldest.tokens or oldest.cost:
                self.forgotten = window.with_span(self.forgotten, (oldest.begins, oldest.begins))
        return self.period

    def limit(self, limits: Limits, now: int) -> dict[Period, Period]:
        """Change the limits; where the kind of window differs return the windows whose sums are in another one now."""
        was = self.limits.window
        self._read(limits)
        return {} if limits.window == was else self._rewind(was, now)

    def _rewind(self, was: BudgetWindow, now: int) -> dict[Period, Period]:
        """Begin with what the remembered windows hold that overlap the present one."""
        whole = Period(self, *window.bounds(self.limits.window, now))
        moved = {}
        spans: list[window.Span] = []
        for first, last in [*self.forgotten, *((old.begins, old.begins) for old in self.periods if old.tokens or old.cost)]:
            spans = window.with_span(spans, window.translated((first, last), was, self.limits.window, now=now))
        for old in self.periods:
            if old.begins < whole.ends and whole.begins < old.ends:
                moved[old] = whole
                whole.tokens += old.tokens
                whole.cost += old.cost
        self.forgotten = spans
        self.period = whole
        self.periods = [whole]
        return moved

    def admits_rates(self, tokens: int, now: int, *, first: bool) -> bool:
        """Tell whether an attempt's tokens of the minute, and its request where it is the `first` one, are admitted now."""
        per_minute, rate = self.requests, self.rate
        if first and per_minute is not None:
            arrival, rest = self.request_arrival, self.request_rest
            if not gcra.admits(arrival, rest, now, amount=1, per_minute=per_minute):
                return False
        return rate is None or gcra.admits(self.token_arrival, self.token_rest, now, amount=tokens, per_minute=rate)

    def request_wait(self, now: int) -> int | None:
        """Return in how many microseconds requests per minute admit one more, 0 for now, None for never."""
        per_minute = self.requests
        if per_minute is None:
            return 0
        return gcra.wait(self.request_arrival, self.request_rest, now, amount=1, per_minute=per_minute)

    def token_wait(self, tokens: int, now: int) -> int | None:
        """Return in how many microseconds tokens per minute admit so many more, 0 for now, None for never."""
        rate = self.rate
        if rate is None:
            return 0
        return gcra.wait(self.token_arrival, self.token_rest, now, amount=tokens, per_minute=rate)

    def take_rates(self, tokens: int, now: int, *, first: bool) -> int:
        """Take an attempt's tokens of the minute, and its request where it is the `first` one.

        Return the mark by which `regain` finds these tokens again.
        """
        if first and self.requests:
            self.request_arrival, self.request_rest = gcra.after(
                self.request_arrival, self.request_rest, now, amount=1, per_minute=self.requests
            )
        if self.rate:
            self.token_arrival, self.token_rest = gcra.after(
                self.token_arrival, self.token_rest, now, amount=tokens, per_minute=self.rate
            )
        return self.token_arrival + self.regained

    def regain(self, unused: int, mark: int, now: int) -> None:
        """Give back tokens of the minute that were taken up to a mark and not used; a negative number is an overrun's."""
        rate = self.rate
        if not rate:
            return
        arrival, rest = self.token_arrival, self.token_rest
        if unused < 0:
            latest = now + gcra.MINUTE, 0
            self.token_arrival, self.token_rest = min(latest, gcra.after(arrival, rest, now, amount=-unused, per_minute=rate))
            return
        back = gcra.given_back(mark - self.regained, now, unused, per_minute=rate)
        self.token_arrival, self.token_rest = gcra.before(arrival, rest, back, per_minute=rate)
        self.regained += back[0] + (back[1] > 0)
