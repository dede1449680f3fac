"""What entries of the log tell of spending, applied to a snapshot. Pure.

Invariants
- The order of entries of different exchanges does not matter to the sums, nor does an entry that is told twice: of one exchange
  the first `Reserved` counts, and its first `Settled` or `Abandoned`.
- An entry whose `seq` the snapshot's includes is in the snapshot already, and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.budget.contract import Limits
from gateway.budget.pot import Period, Pot
from gateway.budget.snapshot import Abandoned, Extended, Held, Reserved, Settled, Snapshot, Told
from gateway.budget.tally import counted, pots_of, reserved
from gateway.budget.window import with_span
from gateway.settings.tree import BudgetWindow


def replay(entries: Iterable[Told], windows: Mapping[str, BudgetWindow], *, snapshot: Snapshot | None = None) -> Snapshot:
    """Return the snapshot after the entries, which are in the log's order.

    `windows` are the kinds of budgets that the snapshot does not know; what was spent on a budget that neither knows is not
    counted. What is held in the end was begun and not ended: recovery tells what became of it.
    """
    start = snapshot or Snapshot()
    book = _Book(start, windows)
    seq = start.seq
    for told in entries:
        if isinstance(told, Abandoned):
            book.abandon(told)
        elif not 0 < told.seq <= start.seq:
            book.note(told)
            seq = max(seq, told.seq)
    return book.close(seq)


def merge(snapshots: Iterable[Snapshot], windows: Mapping[str, BudgetWindow], *, now: int) -> Snapshot:
    """Return one snapshot of what several nodes spent, with the kinds of windows that hold at `now`."""
    merged: dict[str, Pot] = {}
    held: list[Held] = []
    for snapshot in snapshots:
        held += snapshot.held
        for name, pot in pots_of(snapshot.budgets).items():
            pot.limit(Limits(name, windows.get(name, pot.limits.window)), now)
            if name in merged:
                _add(merged[name], pot)
            else:
                merged[name] = pot
    return Snapshot(0, counted(merged, {}), held)


def _add(pot: Pot, other: Pot) -> None:
    """Add another node's sums of the same budget; what both remember is more than either, and is all kept."""
    known = {period.begins: period for period in pot.periods}
    for period in other.periods:
        same = known.get(period.begins)
        if same is None:
            pot.periods.append(period)
        else:
            same.tokens += period.tokens
            same.cost += period.cost
    for span in other.forgotten:
        pot.forgotten = with_span(pot.forgotten, span)


class _Open:
    """A reservation that has not ended, as the entries told of it so far."""

    __slots__ = ("at", "budgets", "cost", "periods", "tokens")

    def __init__(self, told: Reserved | Held, periods: list[Period]) -> None:
        self.at = told.at
        self.budgets = told.budgets
        self.tokens = told.tokens
        self.cost = told.cost
        self.periods = periods


class _Book:
    """Sums and open reservations, entry by entry."""

    def __init__(self, snapshot: Snapshot, windows: Mapping[str, BudgetWindow]) -> None:
        self._windows = windows
        self._pots = pots_of(snapshot.budgets)
        self._open: dict[str, _Open] = {}
        for held in snapshot.held:
            self._begin(held)

    def note(self, told: Reserved | Extended | Settled) -> None:
        """Apply one entry."""
        if isinstance(told, Reserved):
            if told.id not in self._open:
                self._begin(told)
            return
        known = self._open.get(told.id)
        if known is None:
            return
        if isinstance(told, Extended):
            known.tokens += told.tokens
            known.cost += told.cost
            _charge(known, told.tokens, told.cost)
        else:
            _charge(known, told.tokens - known.tokens, told.cost - known.cost)
            del self._open[told.id]

    def abandon(self, told: Abandoned) -> None:
        """End a reservation that nobody else ended."""
        known = self._open.pop(told.id, None)
        if known is not None and not told.dispatched:
            _charge(known, -known.tokens, -known.cost)

    def close(self, seq: int) -> Snapshot:
        """Return all that was counted."""
        sums = reserved((known.periods, known.tokens, known.cost) for known in self._open.values())
        held = [Held(name, known.at, known.budgets, known.tokens, known.cost) for name, known in self._open.items()]
        return Snapshot(seq, counted(self._pots, sums), held)

    def _begin(self, told: Reserved | Held) -> None:
        periods = [pot.at(told.at) for name in told.budgets if (pot := self._pot(name, told.at)) is not None]
        known = self._open[told.id] = _Open(told, periods)
        _charge(known, told.tokens, told.cost)

    def _pot(self, name: str, at: int) -> Pot | None:
        pot = self._pots.get(name)
        if pot is None and name in self._windows:
            pot = self._pots[name] = Pot(Limits(name, self._windows[name]), at)
        return pot


def _charge(known: _Open, tokens: int, cost: int) -> None:
    for period in known.periods:
        period.tokens += tokens
        period.cost += cost
