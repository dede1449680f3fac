from __future__ import annotations

from gateway.budget.contract import Amount, Lapse, Reservation
from gateway.budget.lease import LATE, LOOK, MOST_LATE, Held, Leases

SECOND = 1_000_000


def hold(leases: Leases, name: str, ends: int) -> Held:
    held = leases.held[name] = Held(Reservation(name, 5, tokens=7, cost=8, at=0), [], ends)
    leases.next = min(leases.next, ends)
    return held


def test_only_leases_that_are_over_are_ended() -> None:
    leases = Leases()
    over, running = hold(leases, "x", 10 * SECOND), hold(leases, "y", 20 * SECOND)
    assert leases.over(10 * SECOND) == [over]
    assert leases.held == {"y": running}
    assert list(leases.late) == ["x"]
    assert leases.lapses() == [Lapse("x", Amount(7, 8))]
    assert leases.lapses() == []


def test_the_next_look_is_when_the_next_lease_may_be_over() -> None:
    leases = Leases()
    hold(leases, "x", 10 * SECOND)
    hold(leases, "y", 20 * SECOND)
    leases.over(10 * SECOND)
    assert leases.next == 20 * SECOND
    del leases.held["y"]
    leases.over(20 * SECOND)
    assert leases.next > 2**60


def test_looks_are_apart_however_close_the_leases_end() -> None:
    leases = Leases()
    hold(leases, "x", 10 * SECOND)
    hold(leases, "y", 10 * SECOND + 1)
    leases.over(10 * SECOND)
    assert leases.next == 10 * SECOND + LOOK


def test_what_was_assumed_is_remembered_for_its_time() -> None:
    leases = Leases()
    hold(leases, "x", SECOND)
    leases.over(SECOND)
    leases.over(SECOND + LATE - 1)
    assert list(leases.late) == ["x"]
    leases.over(SECOND + LATE)
    assert not leases.late


def test_memory_of_what_was_assumed_is_bounded() -> None:
    leases = Leases()
    for number in range(MOST_LATE + 100):
        hold(leases, f"{number}", SECOND)
    leases.over(SECOND)
    assert len(leases.late) == MOST_LATE
    assert "99" not in leases.late
    assert "100" in leases.late
    assert len(leases.lapses()) == MOST_LATE
