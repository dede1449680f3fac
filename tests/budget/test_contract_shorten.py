"""The contract of budgets, on every ledger: answers that are shortened to what fits, and those that are not."""

from __future__ import annotations

import pytest

from gateway.budget.contract import Ask, Ledger, Limits, Price, Refusal
from tests.budget.asking import PENNY, ask, refused, reserved, spend, sums, tell
from tests.budget.places import Open, Place


def test_what_does_not_fit_is_shortened_to_what_does(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        found = await reserved(ledger, Ask("x", ("a",), input=20, output=500, choices=2, price=PENNY, shorten=True))
        assert (found.output, found.tokens) == (40, 100)
        assert await sums(ledger, "a") == (0, 100, 1)

    tell(place, story, Limits("a", tokens=101, min_output_tokens=40))


def test_it_is_shortened_to_what_the_narrowest_has_room_for_in_tokens_and_money(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        dear = Price(input=1_000_000, output=3_000_000, cached=0, reasoning=0)
        found = await reserved(ledger, Ask("x", ("a", "b"), input=10, output=500, price=dear, shorten=True))
        assert (found.output, found.cost) == (163, 499)

    tell(place, story, Limits("a", tokens=300), Limits("b", cost=500))


@pytest.mark.parametrize(
    ("limits", "shorten"),
    [
        (Limits("a", tokens=100, min_output_tokens=64), False),
        (Limits("a", tokens=100, min_output_tokens=101), True),
        (Limits("a", tokens=100, min_output_tokens=1, on_exceed="refuse"), True),
    ],
)
def test_it_is_refused_where_it_may_not_be_shortened_and_told_what_would_fit(
    place: Open, limits: Limits, *, shorten: bool
) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        assert await refused(ledger, ask("x", 500, "a", shorten=shorten)) == Refusal("a", "tokens", None, fits=100)

    tell(place, story, limits)


def test_one_short_budget_that_refuses_is_enough(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        assert (await refused(ledger, ask("x", 500, "a", "b", shorten=True))).fits == 100
        assert (await reserved(ledger, ask("y", 150, "a", "b", shorten=True))).output == 100

    tell(place, story, Limits("a", tokens=100), Limits("b", tokens=200, on_exceed="refuse"))


def test_a_wish_below_the_least_output_is_never_shortened(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await spend(ledger, "1", 80, "a")
        assert (await refused(ledger, ask("x", 30, "a", shorten=True))).fits == 20
        assert (await reserved(ledger, ask("y", 20, "a", shorten=True))).output == 20

    tell(place, story, Limits("a", tokens=100, min_output_tokens=64))


def test_a_prompt_that_alone_is_too_long_is_refused(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        refusal = await refused(ledger, Ask("x", ("a",), input=200, output=100, price=PENNY, shorten=True))
        assert (refusal.dimension, refusal.fits, refusal.retry_after_ms) == ("tokens", 0, None)

    tell(place, story, Limits("a", tokens=100, min_output_tokens=1))


def test_rates_never_shorten(place: Open) -> None:
    async def story(ledger: Ledger, _place: Place) -> None:
        await reserved(ledger, ask("x", 60, "a", shorten=True))
        assert (await refused(ledger, ask("y", 90, "a", shorten=True))).dimension == "tokens_per_minute"
        assert (await reserved(ledger, ask("z", 90, "b", "c", shorten=True))).output == 70

    tell(
        place,
        story,
        Limits("a", tokens_per_minute=100, min_output_tokens=1),
        Limits("b", tokens_per_minute=75),
        Limits("c", tokens=70),
    )
