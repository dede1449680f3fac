from __future__ import annotations

import msgspec
import pytest

from gateway.budget.snapshot import Abandoned, BudgetCount, Extended, Held, PeriodCount, Reserved, Settled, Snapshot, Told

SNAPSHOT = Snapshot(
    seq=2**52,
    budgets=[BudgetCount("a", "minute", [PeriodCount(-(2**62), 10**15, 0)], [(1, 2), (3, 4)]), BudgetCount("b", "total", [], [])],
    held=[Held("x", 5, ("a", "b"), 6, 7)],
)


@pytest.mark.parametrize("form", [msgspec.json, msgspec.msgpack])
def test_a_snapshot_is_stored_and_read_again(form: object) -> None:
    stored = form.encode(SNAPSHOT)  # type: ignore[attr-defined]
    assert form.decode(stored, type=Snapshot) == SNAPSHOT  # type: ignore[attr-defined]


def test_two_empty_snapshots_share_no_list() -> None:
    assert Snapshot().budgets is not Snapshot().budgets


def test_what_entries_tell_is_told_apart_by_its_kind() -> None:
    told: list[Told] = [Reserved("x", 1, ("a",), 2, 3), Extended("x", 4, 5), Settled("x", 6, 7), Abandoned("x", dispatched=True)]
    assert [type(each).__name__ for each in told] == ["Reserved", "Extended", "Settled", "Abandoned"]
