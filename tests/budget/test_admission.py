from __future__ import annotations

import asyncio

import pytest

from gateway.budget.admission import admit
from gateway.budget.contract import Ask, Limits, Refusal, Reservation
from gateway.budget.memory import MemoryLedger

BOUND, EXACT = 80, 20


class Counting:
    """Counts, and how often it was asked to."""

    def __init__(self, tokens: int = EXACT) -> None:
        self.asked = 0
        self._tokens = tokens

    async def __call__(self) -> int:
        self.asked += 1
        return self._tokens


def ask(ledger: MemoryLedger, count: Counting, *, output: int = 30, shorten: bool = False) -> Reservation | Refusal:
    return asyncio.run(admit(ledger, Ask("x", ("a",), input=BOUND, output=output, shorten=shorten), count))


@pytest.mark.parametrize("shorten", [True, False])
def test_what_fits_by_its_bound_is_not_counted(*, shorten: bool) -> None:
    count = Counting()
    found = ask(MemoryLedger([Limits("a", tokens=1_000)]), count, shorten=shorten)
    assert isinstance(found, Reservation)
    assert (found.tokens, count.asked) == (110, 0)


@pytest.mark.parametrize("limits", [Limits("a", tokens=60), Limits("a", tokens_per_minute=60)])
def test_what_does_not_fit_by_its_bound_is_counted_and_asked_again(limits: Limits) -> None:
    count = Counting()
    found = ask(MemoryLedger([limits]), count)
    assert isinstance(found, Reservation)
    assert (found.tokens, found.output, count.asked) == (50, 30, 1)


def test_nothing_is_shortened_by_a_bound() -> None:
    found = ask(MemoryLedger([Limits("a", tokens=100, min_output_tokens=1)]), Counting(), output=80, shorten=True)
    assert isinstance(found, Reservation)
    assert found.output == 80


def test_what_was_counted_is_shortened_where_it_must_be() -> None:
    found = ask(MemoryLedger([Limits("a", tokens=100, min_output_tokens=1)]), Counting(), output=90, shorten=True)
    assert isinstance(found, Reservation)
    assert (found.output, found.tokens) == (80, 100)


def test_a_count_above_the_bound_is_not_believed() -> None:
    count = Counting(10**6)
    found = ask(MemoryLedger([Limits("a", tokens=100, min_output_tokens=1)]), count, output=90, shorten=True)
    assert isinstance(found, Reservation)
    assert (found.output, found.tokens) == (20, 100)


def test_a_count_that_changes_nothing_is_not_asked_with_again() -> None:
    found = ask(MemoryLedger([Limits("a", tokens=60)]), Counting(BOUND))
    assert found == Refusal("a", "tokens", None)


@pytest.mark.parametrize("limits", [Limits("b"), Limits("a", requests_per_minute=0), Limits("a", max_concurrent=0)])
def test_what_fewer_tokens_do_not_help_against_is_refused_uncounted(limits: Limits) -> None:
    count = Counting()
    assert isinstance(ask(MemoryLedger([limits]), count, shorten=True), Refusal)
    assert count.asked == 0
