"""A ledger's life at random, beside a book that knows what each reservation holds: `Life` is hypothesis' state machine.

The book believes nothing of the ledger's sums. It writes down what each call was told, in the window that the ledger says it
charges, and compares: a sum that is lost, a window that opens a second time from zero, a refund too much are all seen.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from gateway.budget.contract import Amount, Ask, Extension, Limits, Price, Refusal, Reservation
from gateway.budget.memory import MemoryLedger
from gateway.budget.rules import cost_of, tokens_of
from tests.budget.places import Clocks

T = TypeVar("T")
Window = tuple[str, int]
"""A budget and the beginning of one of its windows."""

YEAR: Final = 365 * 86_400
NAMES: Final = ("minute", "day", "total", "few")
FIRST: Final = (
    Limits("minute", "minute", tokens=300, min_output_tokens=10),
    Limits("day", "day", tokens=2_000, cost=2_500, min_output_tokens=20),
    Limits("total", "total", cost=4_000, on_exceed="refuse"),
    Limits("few", "hour", max_concurrent=3),
)
PRICE: Final = Price(input=1_000_000, output=1_500_000, cached=500_000, reasoning=2_000_000)


def now(work: Coroutine[Any, Any, T]) -> T:
    """Run what never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("it waited")


@dataclass
class Entry:
    """What the book knows of one reservation; `late` once it was assumed."""

    windows: list[Window]
    tokens: int
    cost: int
    step: int = 0
    late: bool = False


class Life(RuleBasedStateMachine):
    """Reservations, further attempts, ends, leases, clocks, crashes and reloads, in any order."""

    make: Callable[..., MemoryLedger] = MemoryLedger
    ids = Bundle("ids")

    @initialize()
    def begin(self) -> None:
        self.clocks = Clocks()
        self.limits = {limit.name: limit for limit in FIRST}
        self.ledger = self.fresh()
        self.book: dict[str, Entry] = {}
        self.taken: dict[Window, tuple[int, int]] = {}
        self.made = 0

    def fresh(self) -> MemoryLedger:
        ledger = type(self).make(wall=self.clocks.tell_wall, steady=self.clocks.tell_steady)
        ledger.limit(self.limits.values())
        return ledger

    @rule(
        target=ids,
        names=st.lists(st.sampled_from(NAMES), unique=True, min_size=1),
        tokens=st.tuples(st.integers(0, 60), st.integers(0, 120), st.integers(1, 3)),
        shorten=st.booleans(),
        lease=st.sampled_from([5, 100, 10_000]),
    )
    def reserve(self, names: list[str], tokens: tuple[int, int, int], *, shorten: bool, lease: int) -> Any:
        self.made += 1
        name = f"{self.made}"
        ask = Ask(name, tuple(names), *tokens, price=PRICE, shorten=shorten, lease_ms=lease * 1_000)
        self.lapse()
        windows = self.windows(names)
        found = now(self.ledger.reserve(ask))
        if isinstance(found, Refusal):
            self.check_refusal(ask, windows, found)
            return multiple()
        assert found == now(self.ledger.reserve(ask))
        self.check_output(ask, found, windows)
        self.book[name] = Entry(windows, found.tokens, found.cost)
        self.take(windows, found.tokens, found.cost)
        self.check_limits(windows)
        return name

    @rule(name=ids, tokens=st.tuples(st.integers(0, 60), st.integers(0, 120), st.integers(1, 3)), shorten=st.booleans())
    def extend(self, name: str, tokens: tuple[int, int, int], *, shorten: bool) -> None:
        self.lapse()
        entry = self.book.get(name)
        more = Extension(name, entry.step + 1 if entry else 1, *tokens, price=PRICE, shorten=shorten)
        found = now(self.ledger.extend(more))
        if entry is None or entry.late:
            assert isinstance(found, Refusal)
            assert found.dimension == "reservation"
        elif isinstance(found, Refusal):
            self.check_refusal(more, entry.windows, found)
        else:
            assert found == now(self.ledger.extend(more))
            self.check_output(more, found, entry.windows)
            entry.step += 1
            entry.tokens += found.tokens
            entry.cost += found.cost
            self.take(entry.windows, found.tokens, found.cost)
            self.check_limits(entry.windows)

    @rule(name=ids, tokens=st.integers(0, 400), cost=st.integers(0, 700))
    def settle(self, name: str, tokens: int, cost: int) -> None:
        self.lapse()
        entry = self.book.pop(name, None)
        found = now(self.ledger.settle(name, Amount(tokens, cost)))
        if entry is None:
            assert found.ended == "unknown"
            return
        over = Amount(max(0, tokens - entry.tokens), max(0, cost - entry.cost))
        assert found.ended == ("late" if entry.late else "settled")
        assert found.overrun == over
        if entry.late:
            tokens, cost = min(tokens, entry.tokens), min(cost, entry.cost)
        assert found.charged == Amount(tokens, cost)
        self.take(entry.windows, tokens - entry.tokens, cost - entry.cost)

    @rule(name=consumes(ids))
    def release(self, name: str) -> None:
        self.lapse()
        entry = self.book.pop(name, None)
        found = now(self.ledger.release(name))
        if entry is None:
            assert found.ended == "unknown"
        else:
            assert found.charged == Amount()
            self.take(entry.windows, -entry.tokens, -entry.cost)

    @rule(seconds=st.sampled_from([1, 30, 61, 1_000, 90_000]))
    def pass_time(self, seconds: int) -> None:
        # Late settlements are remembered for an hour: what is forgotten is charged for good.
        now(self.clocks.pass_time(seconds))
        self.lapse()
        if seconds >= 1_000:
            for name in [name for name, entry in self.book.items() if entry.late]:
                now(self.ledger.settle(name, Amount(10**9, 10**9)))
                del self.book[name]

    @rule(seconds=st.sampled_from([YEAR, -YEAR, 86_400, -86_400, 3_700, -3_700, 60, -60, 1, -1]))
    def jump(self, seconds: int) -> None:
        now(self.clocks.jump(seconds))

    @rule(name=st.sampled_from(NAMES), factor=st.sampled_from([0, 1, 5, 10, 20, 100]))
    def reload(self, name: str, factor: int) -> None:
        first = next(limit for limit in FIRST if limit.name == name)
        self.limits[name] = Limits(
            name,
            first.window,
            tokens=None if first.tokens is None else first.tokens * factor // 10,
            cost=None if first.cost is None else first.cost * factor // 10,
            max_concurrent=first.max_concurrent,
            on_exceed=first.on_exceed,
            min_output_tokens=first.min_output_tokens,
        )
        self.ledger.limit(self.limits.values())

    @rule(name=st.sampled_from(NAMES))
    def take_out_and_put_in_again(self, name: str) -> None:
        self.ledger.limit(limit for limit in self.limits.values() if limit.name != name)
        assert isinstance(now(self.ledger.reserve(Ask("no", (name,), 1, 1, price=PRICE))), Refusal)
        self.ledger.limit(self.limits.values())

    @rule()
    def crash(self) -> None:
        """Go on from the snapshot: who held a reservation is gone, and may only be refunded."""
        self.lapse()
        remembered = {(name, period.begins) for name, pot in self.ledger._known.items() for period in pot.periods}
        if not all(window in remembered for entry in self.book.values() for window in entry.windows):
            return  # it would be charged to the last used window: another story (tests/budget/test_contract_time.py)
        snapshot = self.ledger.snapshot()
        self.ledger = self.fresh()
        now(self.ledger.restore(snapshot))
        for entry in self.book.values():
            entry.late = True

    def lapse(self) -> None:
        """Note what the ledger assumed because its lease was over."""
        for lapse in now(self.ledger.sweep()):
            entry = self.book[lapse.id]
            assert not entry.late
            assert lapse.amount == Amount(entry.tokens, entry.cost)
            entry.late = True

    def windows(self, names: Iterable[str]) -> list[Window]:
        begins = {standing.limits.name: standing.begins for standing in now(self.ledger.standings())}
        return [(name, begins[name]) for name in names]

    def take(self, windows: Iterable[Window], tokens: int, cost: int) -> None:
        for window in windows:
            known = self.taken.get(window, (0, 0))
            self.taken[window] = known[0] + tokens, known[1] + cost

    def check_limits(self, windows: Iterable[Window]) -> None:
        """See that what was just admitted is within every limit, together with all that was taken before."""
        for window in windows:
            tokens, cost = self.taken[window]
            limit = self.limits[window[0]]
            assert limit.tokens is None or tokens <= limit.tokens
            assert limit.cost is None or cost <= limit.cost
            assert limit.max_concurrent is None or self.open(window[0]) <= limit.max_concurrent

    def check_output(self, asked: Ask | Extension, found: Reservation, windows: list[Window]) -> None:
        assert (found.tokens, found.cost) == (tokens_of(asked, found.output), cost_of(asked, found.output))
        if found.output < asked.output:
            assert asked.shorten
            assert found.output >= min(self.limits[name].min_output_tokens for name, _ in windows)

    def check_refusal(self, asked: Ask | Extension, windows: list[Window], found: Refusal) -> None:
        """See that what is refused does not fit: a budget is usable to its last token."""
        limit = self.limits[found.budget]
        [window] = [window for window in windows if window[0] == found.budget]
        tokens, cost = self.taken.get(window, (0, 0))
        match found.dimension:
            case "tokens":
                assert limit.tokens is not None
                assert tokens + tokens_of(asked, asked.output) > limit.tokens
            case "cost":
                assert limit.cost is not None
                assert cost + cost_of(asked, asked.output) > limit.cost
            case "max_concurrent":
                assert limit.max_concurrent is not None
                assert self.open(found.budget) >= limit.max_concurrent
            case other:
                raise AssertionError(other)

    def open(self, name: str) -> int:
        return sum(name in {window[0] for window in entry.windows} for entry in self.book.values() if not entry.late)

    @invariant()
    def the_sums_are_the_books(self) -> None:
        if not hasattr(self, "ledger"):
            return
        self.lapse()
        for standing in now(self.ledger.standings()):
            name = standing.limits.name
            total = standing.settled.tokens + standing.reserved.tokens, standing.settled.cost + standing.reserved.cost
            assert total == self.taken.get((name, standing.begins), (0, 0))
            assert standing.open == self.open(name)

    def teardown(self) -> None:
        """End everything: no reservation is left."""
        if not hasattr(self, "ledger"):
            return
        now(self.clocks.pass_time(20_000))
        self.lapse()
        assert not any(not entry.late for entry in self.book.values())
        for standing in now(self.ledger.standings()):
            assert standing.open == 0
            assert standing.reserved == Amount()
        assert not self.ledger._leases.held
