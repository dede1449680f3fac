"""What one exchange spends, attempt by attempt: `async with Spending(…)` around all that may be sent for it.

Invariants
- On every way out the reservation ends: settled at what its attempts used, released where nothing was dispatched.
- An attempt that may have been dispatched and whose usage nobody knows counts as used up: `assumed`.
- Nothing is sent that was not reserved: a further attempt, or a prompt that grew, is reserved first.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Literal, Self

from gateway.budget.contract import Amount, Ask, Extension, Ledger, Price, Refusal, Reservation, Settlement
from gateway.budget.money import used_cost
from gateway.errors import Unavailable
from gateway.exchange.usage import Usage, UsageSource

Source = UsageSource | Literal["assumed"]
"""Where the figures of a settlement come from; of several attempts the least certain one's."""

_CERTAIN_FIRST: Final[tuple[Source, ...]] = ("upstream", "counted", "estimated", "assumed")


class Attempt:
    """One attempt: what is reserved for it, whether it may have been dispatched, and what it used, once that is known."""

    __slots__ = ("cost", "dispatched", "price", "tokens", "usage")

    def __init__(self, reservation: Reservation, price: Price | None) -> None:
        self.tokens = reservation.tokens
        self.cost = reservation.cost
        self.price = price
        self.dispatched = False
        self.usage: Usage | None = None

    @property
    def source(self) -> Source | None:
        """Where its figures come from, None where there is nothing to charge."""
        if not self.dispatched:
            return None
        return "assumed" if self.usage is None else self.usage.source

    def spent(self) -> Amount:
        """Return what it is charged."""
        if not self.dispatched:
            return Amount()
        usage = self.usage
        if usage is None:
            return Amount(self.tokens, self.cost)
        cost = 0 if self.price is None else used_cost(self.price, usage)
        return Amount(usage.input + usage.output, cost)


class Spending:
    """The reservation of one exchange; its attempts are one after the other, and the last one is the present one.

    `settlement` is there once the context was left, unless the ledger did not answer: then the lease ends the reservation, at
    its full amount.
    """

    __slots__ = ("_ask", "_attempts", "_ledger", "_step", "reservation", "settlement")

    def __init__(self, ledger: Ledger, ask: Ask, reservation: Reservation) -> None:
        self._ledger = ledger
        self._ask = ask
        self._step = 0
        self._attempts = [Attempt(reservation, ask.price)]
        self.reservation = reservation
        self.settlement: Settlement | None = None

    def dispatch(self) -> None:
        """Note, before anything of it is sent, that the present attempt may run at an upstream from now on."""
        self._attempts[-1].dispatched = True

    def unsent(self) -> None:
        """Note that nothing of the present attempt reached an upstream after all, such as when no connection was made."""
        self._attempts[-1].dispatched = False

    def use(self, usage: Usage) -> None:
        """Note what the present attempt used; of several times the last one counts."""
        self._attempts[-1].usage = usage

    async def again(self, tokens: int, output: int, *, price: Price | None, shorten: bool = False) -> Reservation | Refusal:
        """Reserve a further attempt with a prompt of so many tokens, at its own leg's price; refused, it must not be sent."""
        found = await self._extend(tokens, output, price=price, shorten=shorten)
        if isinstance(found, Reservation):
            self._attempts.append(Attempt(found, price))
        return found

    async def grow(self, tokens: int) -> Reservation | Refusal:
        """Reserve what the prompt of the present attempt has grown by; refused, it must not be sent."""
        attempt = self._attempts[-1]
        found = await self._extend(tokens, 0, price=attempt.price, shorten=False)
        if isinstance(found, Reservation):
            attempt.tokens += found.tokens
            attempt.cost += found.cost
        return found

    async def _extend(self, tokens: int, output: int, *, price: Price | None, shorten: bool) -> Reservation | Refusal:
        more = Extension(self._ask.id, self._step + 1, tokens, output, choices=self._ask.choices, price=price, shorten=shorten)
        found = await self._ledger.extend(more)
        if isinstance(found, Reservation):
            self._step += 1
        return found

    @property
    def reserved(self) -> Amount:
        """All that is reserved."""
        return Amount(sum(attempt.tokens for attempt in self._attempts), sum(attempt.cost for attempt in self._attempts))

    @property
    def source(self) -> Source | None:
        """Where the figures come from, None where nothing was dispatched."""
        if len(self._attempts) == 1:
            return self._attempts[0].source
        found = [attempt.source for attempt in self._attempts if attempt.source is not None]
        return max(found, key=_CERTAIN_FIRST.index, default=None)

    def spent(self) -> Amount:
        """Return what the exchange is charged by what is known now."""
        if len(self._attempts) == 1:
            return self._attempts[0].spent()
        spent = [attempt.spent() for attempt in self._attempts]
        return Amount(sum(each.tokens for each in spent), sum(each.cost for each in spent))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self.source is None:
                self.settlement = await self._ledger.release(self._ask.id)
            else:
                self.settlement = await self._ledger.settle(self._ask.id, self.spent())
        except Unavailable:
            # What went on ends as it did; the ledger charges the full amount when the lease is over, and may be told late.
            return
