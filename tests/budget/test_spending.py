from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.budget.contract import Amount, Ask, Extension, Limits, Price, Refusal, Reservation, Settlement
from gateway.budget.memory import MemoryLedger
from gateway.budget.spending import Spending
from gateway.errors import Unavailable
from gateway.exchange.usage import Usage
from tests.budget.asking import PENNY, standing, sums

DOUBLE = Price(input=2_000_000, output=2_000_000, cached=0, reasoning=2_000_000)

Story = Callable[[Spending], Awaitable[None]]


class Silent(MemoryLedger):
    """Answers no end."""

    async def settle(self, reservation: str, spent: Amount) -> Settlement:
        raise Unavailable(f"No answer on {reservation}, {spent}.", retry_after=1.0)


def spend(story: Story, ledger: MemoryLedger | None = None, *, price: Price | None = PENNY) -> tuple[Spending, MemoryLedger]:
    """Live one exchange: 10 tokens of prompt, up to 40 of each of two choices, of a budget of 200."""

    async def run() -> tuple[Spending, MemoryLedger]:
        kept = ledger or MemoryLedger([Limits("a", tokens=200)])
        ask = Ask("x", ("a",), input=10, output=40, choices=2, price=price)
        found = await kept.reserve(ask)
        assert isinstance(found, Reservation)
        spending = Spending(kept, ask, found)
        async with spending:
            await story(spending)
        return spending, kept

    return asyncio.run(run())


def settled(ledger: MemoryLedger) -> tuple[int, int, int]:
    return asyncio.run(sums(ledger, "a"))


async def answered(spending: Spending) -> None:
    spending.dispatch()
    spending.use(Usage(input=8, output=30, source="counted"))


async def cut(spending: Spending) -> None:
    spending.dispatch()


async def nothing(_spending: Spending) -> None:
    return


def test_an_exchange_is_settled_at_what_its_upstream_used() -> None:
    spending, ledger = spend(answered)
    assert spending.settlement == Settlement("settled", Amount(38, 38), seq=2)
    assert (spending.source, spending.reserved) == ("counted", Amount(90, 90))
    assert settled(ledger) == (38, 0, 0)


def test_what_may_have_run_and_nobody_knows_is_assumed_in_full() -> None:
    spending, ledger = spend(cut)
    assert (spending.source, settled(ledger)) == ("assumed", (90, 0, 0))


def test_what_was_never_dispatched_is_released() -> None:
    spending, ledger = spend(nothing)
    assert (spending.source, spending.spent(), settled(ledger)) == (None, Amount(), (0, 0, 0))
    assert spending.settlement is not None
    assert spending.settlement.charged == Amount()


def test_what_was_sent_to_nobody_is_released() -> None:
    async def unreachable(spending: Spending) -> None:
        spending.dispatch()
        spending.unsent()

    assert settled(spend(unreachable)[1]) == (0, 0, 0)


@pytest.mark.parametrize("error", [asyncio.CancelledError, ValueError, GeneratorExit])
def test_whatever_ends_an_exchange_ends_its_reservation(error: type[BaseException]) -> None:
    ledger = MemoryLedger([Limits("a", tokens=200)])

    async def fail(spending: Spending) -> None:
        spending.dispatch()
        raise error

    with pytest.raises(error):
        spend(fail, ledger)
    assert settled(ledger) == (90, 0, 0)


def test_every_attempt_is_charged_at_its_own_price() -> None:
    async def twice(spending: Spending) -> None:
        spending.dispatch()
        found = await spending.again(10, 20, price=DOUBLE)
        assert isinstance(found, Reservation)
        assert (found.tokens, found.cost) == (50, 100)
        spending.dispatch()
        spending.use(Usage(input=9, output=11))

    spending, ledger = spend(twice)
    assert spending.reserved == Amount(140, 190)
    assert spending.spent() == Amount(90 + 20, 90 + 40)
    assert spending.source == "assumed"
    assert asyncio.run(standing(ledger, "a")).settled == Amount(110, 130)


def test_an_attempt_that_was_reserved_and_not_sent_costs_nothing() -> None:
    async def given_up(spending: Spending) -> None:
        await answered(spending)
        await spending.again(10, 10, price=PENNY)

    spending, ledger = spend(given_up)
    assert (spending.source, settled(ledger)) == ("counted", (38, 0, 0))


def test_a_further_attempt_that_does_not_fit_is_no_attempt() -> None:
    async def too_much(spending: Spending) -> None:
        await cut(spending)
        assert isinstance(await spending.again(10, 100, price=PENNY), Refusal)
        assert isinstance(await spending.again(10, 30, price=PENNY, shorten=False), Reservation)
        assert isinstance(await spending.again(10, 10, price=PENNY), Reservation)

    spending, ledger = spend(too_much)
    assert spending.reserved == Amount(190, 190)
    assert settled(ledger) == (90, 0, 0)


def test_a_further_attempt_may_be_shortened() -> None:
    async def shortened(spending: Spending) -> None:
        found = await spending.again(10, 100, price=PENNY, shorten=True)
        assert isinstance(found, Reservation)
        assert found.output == 50

    spend(shortened, MemoryLedger([Limits("a", tokens=200, min_output_tokens=50)]))


def test_a_prompt_that_grew_is_reserved_with_its_attempt() -> None:
    async def grown(spending: Spending) -> None:
        found = await spending.grow(25)
        assert isinstance(found, Reservation)
        assert isinstance(await spending.grow(1_000), Refusal)
        spending.dispatch()

    spending, ledger = spend(grown)
    assert spending.reserved == Amount(115, 115)
    assert settled(ledger) == (115, 0, 0)


def test_an_overrun_is_told() -> None:
    async def hidden(spending: Spending) -> None:
        spending.dispatch()
        spending.use(Usage(input=100, output=30))

    spending, _ = spend(hidden)
    assert spending.settlement is not None
    assert spending.settlement.overrun == Amount(40, 40)


def test_without_a_price_only_tokens_are_charged() -> None:
    spending, _ = spend(answered, price=None)
    assert spending.spent() == Amount(38, 0)


def test_the_last_usage_counts_and_the_least_certain_attempt_gives_the_source() -> None:
    async def counted(spending: Spending) -> None:
        spending.dispatch()
        spending.use(Usage(input=1, output=1, source="estimated"))
        spending.use(Usage(input=8, output=1))
        await spending.again(10, 10, price=PENNY)
        spending.dispatch()
        spending.use(Usage(input=8, output=2, source="counted"))

    spending, ledger = spend(counted)
    assert (spending.source, settled(ledger)) == ("counted", (19, 0, 0))


def test_a_ledger_that_does_not_answer_breaks_nothing_and_leaves_the_lease() -> None:
    spending, ledger = spend(answered, Silent([Limits("a", tokens=200)]))
    assert spending.settlement is None
    assert settled(ledger) == (0, 90, 1)


def test_steps_are_counted_only_where_something_was_reserved() -> None:
    asked: list[int] = []

    class Watched(MemoryLedger):
        async def extend(self, more: Extension) -> Reservation | Refusal:
            asked.append(more.step)
            return await super().extend(more)

    async def story(spending: Spending) -> None:
        await spending.grow(1_000)
        await spending.grow(1)
        await spending.again(1, 1, price=PENNY)

    spend(story, Watched([Limits("a", tokens=200)]))
    assert asked == [1, 1, 2]
