"""The seam of budgets: what an exchange asks to spend, what it is told, and the ledger that keeps the sums.

Implementations side by side: `memory` (one process) and `redis` (shared by workers and replicas). `tests/budget` runs one set of
tests over every one of them.

Invariants
- Per budget and window, settled plus reserved never exceeds the limit that held when it was reserved: under any concurrency,
  crash, repetition or clock. The one exception is an overrun: an upstream that used more than was reserved for it. It is
  entered in full, and the next ask is refused while the budget stands above its limit.
- Budgets nest: all that an ask names admit it, or none is touched.
- A reservation ends once: settled, released, or assumed when its lease is over. Whatever comes later for it only refunds.
- Tokens and money are whole numbers (money in millionths of the currency's unit), never above `MOST`, so that sums of them are
  exact in every store (Redis' Lua computes with doubles: 2^53).

Windows are of UTC, by the ledger's wall clock. A reservation, all its extensions and its settlement are charged to the windows
in which it was reserved, `Reservation.at`. The clock may jump:
- A window that was used is never opened a second time from zero. Each budget remembers at least the `REMEMBERED` windows that
  it used last: when the clock returns to one of them, what was spent there counts and goes on counting.
- While the clock stands in a window that was used and is forgotten, everything is charged to the window that the budget used
  last. A window that was never used opens as always, be it in the past or in the future.
- What is remembered is bounded by number, never by a time to live that the same clock could end.

Limits may be changed at any time, and nothing that was counted is lost: tokens and money are counted on every budget, limited
or not. A budget whose kind of window changes begins with the sum of its remembered windows that overlap the new one.

Rates (requests and tokens per minute) follow GCRA over a steady clock where there is one: a minute's worth at once, then evenly.
They never shorten. A request counts when it is admitted and stays counted; tokens count as reserved, and what a settlement finds
unused is given back as far as it has not been regained meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, Literal, Protocol

from msgspec import Struct

from gateway.budget.snapshot import Snapshot
from gateway.settings.tree import BudgetWindow, OnExceed

MOST: Final = 10**15
"""The largest limit, in tokens or in millionths; an ask above it fits no budget. Nine of them stay below 2^53."""
REMEMBERED: Final = 8
"""So many windows are remembered of a budget, at least."""
MICROS: Final = 1_000_000
"""Millionths in one unit of money; prices are per as many tokens."""
CONCURRENT_RETRY_MS: Final = 1_000
"""When to ask again where too many exchanges run at once: nobody knows when one ends."""

Dimension = Literal[
    "tokens", "cost", "requests_per_minute", "tokens_per_minute", "max_concurrent", "budget", "price", "reservation"
]
"""What stood in the way: a limit of that name; or nobody's wish but a fault: there is no such budget, a leg without price under
a budget that limits cost, an extension of a reservation that has ended (its lease was over, or it never was)."""
Ended = Literal["settled", "late", "unknown"]
"""How a settlement found its reservation: held; assumed meanwhile, because its lease was over; or ended before, or never made."""


class Limits(Struct, frozen=True, gc=False):
    """One budget: what may be spent in a window, and how fast; None is no limit.

    `cost` is in millionths. A window that is full is shortened or refused by `on_exceed`, and nothing is shortened below
    `min_output_tokens`. A limit of 0 admits nothing.
    """

    name: str
    window: BudgetWindow = "total"
    tokens: int | None = None
    cost: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrent: int | None = None
    on_exceed: OnExceed = "shorten"
    min_output_tokens: int = 64


class Price(Struct, frozen=True, gc=False):
    """Millionths for a million tokens; `cached` are tokens of the input, `reasoning` of the output."""

    input: int
    output: int
    cached: int
    reasoning: int


class Amount(Struct, frozen=True, gc=False):
    """Tokens, input and output together, and their cost in millionths."""

    tokens: int = 0
    cost: int = 0


class Ask(Struct, frozen=True, gc=False):
    """An exchange's first attempt, before it is sent.

    `id` is the exchange's id and fences the reservation: asking twice with the same id and without an end between gives the same
    reservation. `budgets` are names, each once; the first `shown` of them belong to the caller alone, so that it may be told
    how much is left there. `input` bounds the prompt's tokens with images and tools, `output` is the most of one choice and is
    multiplied by `choices` (1 at least). `shorten` says that output may be lowered: no structured output, no tools. The lease is
    longer than the exchange may run.
    """

    id: str
    budgets: tuple[str, ...]
    input: int
    output: int
    choices: int = 1
    price: Price | None = None
    shorten: bool = False
    lease_ms: int = 130_000
    shown: int = 0


class Extension(Struct, frozen=True, gc=False):
    """A further attempt of an exchange at its own leg's price, or what a prompt grew by (`output` 0).

    `step` counts the extensions of a reservation from 1: the same step a second time gives the same answer and reserves nothing.
    Requests are not counted again; tokens per minute are.
    """

    id: str
    step: int
    input: int
    output: int
    choices: int = 1
    price: Price | None = None
    shorten: bool = False


class Headroom(Struct, frozen=True, gc=False):
    """A limit, what is left of it after this reservation (never below 0), and milliseconds until all of it is back.

    `reset_ms` is None for a `total` window.
    """

    limit: int
    remaining: int
    reset_ms: int | None


class Reservation(Struct, frozen=True, gc=False):
    """What was reserved by one `reserve` or `extend`.

    `output` is what one choice may have, less than asked where it was shortened. `tokens` and `cost` are what this call
    reserved; they are no more than `amount(…)` of its `input`, `output` and `choices`. `at` is the ledger's wall clock at the
    first reserve, in microseconds since 1970. `seq` counts the ledger's changes (0 where they are not counted): an entry that
    carries it is told from what a snapshot holds already. `requests` and `tokens_left` are the tightest headroom of the shown
    budgets, None where none of them has such a limit; `tokens_left` takes rate and window.
    """

    id: str
    output: int
    tokens: int
    cost: int
    at: int
    seq: int = 0
    requests: Headroom | None = None
    tokens_left: Headroom | None = None


class Refusal(Struct, frozen=True, gc=False):
    """Why nothing was reserved: of all that stand in the way the one that lasts longest, the first of equals in the ask's order.

    `retry_after_ms` is None where waiting does not help: more than the limit, a `total` window, a fault. `fits` is the output of
    one choice that tokens and cost would have room for right now, 0 for none, whether or not it may be shortened.
    """

    budget: str
    dimension: Dimension
    retry_after_ms: int | None
    fits: int = 0


class Settlement(Struct, frozen=True, gc=False):
    """What an end of a reservation did: what is charged now, and by how much that is more than was reserved.

    A `late` one charges no more than was assumed; its overrun is told and not charged. `unknown` changed nothing and charged 0.
    """

    ended: Ended
    charged: Amount = Amount()
    overrun: Amount = Amount()
    seq: int = 0


class Lapse(Struct, frozen=True, gc=False):
    """A reservation whose lease was over: it is settled at its full amount, as if its request had used it up."""

    id: str
    amount: Amount


class Standing(Struct, frozen=True, gc=False):
    """How a budget stands in its present window; times in microseconds since 1970, `ends` None for `total`."""

    limits: Limits
    begins: int
    ends: int | None
    settled: Amount
    reserved: Amount
    open: int
    requests: Headroom | None = None
    tokens: Headroom | None = None


class Ledger(Protocol):
    """Keeps the sums of all budgets.

    Every method may raise `Unavailable` where the ledger cannot be asked: nothing is known then of what it did, so release or
    settle what may have been reserved. No method raises because of amounts; refusals are values. A settle or release that was
    begun is carried out although its caller is cancelled.
    """

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        """Reserve on every budget of the ask, or on none; an ask without budgets is always admitted."""

    async def extend(self, more: Extension) -> Reservation | Refusal:
        """Reserve more for an open reservation, in the windows where it is; a refusal leaves it as it was."""

    async def settle(self, reservation: str, spent: Amount) -> Settlement:
        """End a reservation with what was used by all its attempts; a second time changes nothing."""

    async def release(self, reservation: str) -> Settlement:
        """End a reservation of which nothing was dispatched; requests per minute stay counted."""

    async def sweep(self) -> list[Lapse]:
        """End reservations whose lease is over, and return those that ended so since it was asked last."""

    async def standings(self, names: Collection[str] | None = None) -> list[Standing]:
        """Return how budgets stand, all or those of these names, in the order of the limits."""

    async def restore(self, snapshot: Snapshot) -> None:
        """Take the place of all sums by a snapshot's; what is open there is settled at its full amount, for its owner is gone."""

    def limit(self, limits: Iterable[Limits]) -> None:
        """Replace all limits from now on; sums are kept, also those of budgets that are not named any more."""
