from __future__ import annotations

from gateway.budget.contract import Limits
from gateway.budget.pot import Pot
from gateway.budget.snapshot import BudgetCount, PeriodCount
from gateway.budget.tally import counted, pots_of, reserved

NOW = 1_794_744_000_000_000
MINUTE = 60_000_000


def test_what_is_reserved_is_summed_up_by_window() -> None:
    one, other = Pot(Limits("a"), NOW).period, Pot(Limits("b"), NOW).period
    assert reserved([([one, other], 3, 30), ([one], 4, 40)]) == {one: (7, 70), other: (3, 30)}


def test_counts_are_what_is_settled_in_used_windows() -> None:
    pot = Pot(Limits("a", "minute"), NOW)
    first = pot.period
    first.tokens = 10
    pot.at(NOW + MINUTE)
    last = pot.at(NOW + 2 * MINUTE)
    last.cost = 5
    pot.forgotten = [(1, 2)]
    assert counted({"a": pot, "unused": Pot(Limits("unused"), NOW)}, {first: (10, 0)}) == [
        BudgetCount("a", "minute", [PeriodCount(NOW, 0, 0), PeriodCount(NOW + 2 * MINUTE, 0, 5)], [(1, 2)])
    ]


def test_counts_become_the_same_budgets_again() -> None:
    counts = [
        BudgetCount("a", "minute", [PeriodCount(NOW + MINUTE, 1, 2), PeriodCount(NOW, 3, 4)], [(5, 6)]),
        BudgetCount("b", "total", [PeriodCount(-(2**62), 7, 8)], []),
        BudgetCount("c", "day", [], [(0, 86_400_000_000)]),
    ]
    pots = pots_of(counts)
    assert counted(pots, {}) == counts
    assert pots["a"].period.begins == NOW
    assert pots["a"].period.ends == NOW + MINUTE
    assert pots["b"].at(NOW).tokens == 7
