from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.budget.contract import MOST, Price
from gateway.budget.money import micros, most_cost, most_output, price, used_cost
from gateway.exchange.usage import Usage
from gateway.settings.tree import Price as PriceSettings

PRICES = st.builds(Price, *[st.integers(0, 10**9)] * 4)
TOKENS = st.integers(0, 10**7)


@pytest.mark.parametrize(
    ("text", "expected"), [("100.00", 100_000_000), ("0.000001", 1), ("0", 0), ("999999999.999999", 10**15 - 1)]
)
def test_money_is_read_to_the_millionth(text: str, expected: int) -> None:
    assert micros(Decimal(text)) == expected


def test_what_a_price_leaves_out_costs_as_input_and_output_do() -> None:
    whole = PriceSettings.model_validate({"input": "0.15", "output": "0.60", "cached": "0.075", "reasoning": "1.2"})
    assert price(whole) == Price(150_000, 600_000, 75_000, 1_200_000)
    assert price(PriceSettings.model_validate({"input": "1", "output": "2"})) == Price(10**6, 2 * 10**6, 10**6, 2 * 10**6)
    assert price(PriceSettings.model_validate({"input": "1", "output": "2", "cached": "0"})).cached == 0


def test_what_is_used_is_charged_by_kind_and_rounded_up_once() -> None:
    dear = Price(input=10, output=20, cached=1, reasoning=40)
    usage = Usage(input=100_000, output=50_000, cached=60_000, reasoning=20_000)
    assert 40_000 * 10 + 60_000 * 1 + 30_000 * 20 + 20_000 * 40 == 1_860_000
    assert used_cost(dear, usage) == 2


def test_a_usage_whose_parts_are_larger_than_the_whole_is_charged_no_more_than_the_whole() -> None:
    dear = Price(input=10**6, output=10**6, cached=0, reasoning=2 * 10**6)
    assert used_cost(dear, Usage(input=5, output=5, cached=9, reasoning=9)) == 10


@given(PRICES, TOKENS, TOKENS, TOKENS, TOKENS)
def test_nothing_costs_more_than_was_reserved_for_it(
    dear: Price, tokens_in: int, tokens_out: int, cached: int, reasoning: int
) -> None:
    most = most_cost(dear, tokens_in, tokens_out)
    usage = Usage(tokens_in, tokens_out, cached=min(cached, tokens_in), reasoning=min(reasoning, tokens_out))
    assert 0 <= used_cost(dear, usage) <= most
    assert most <= most_cost(dear, tokens_in + 1, tokens_out + 1)


@given(PRICES, TOKENS, st.integers(0, 10**12))
def test_the_most_output_that_money_pays_for_is_neither_more_nor_less(dear: Price, tokens_in: int, money: int) -> None:
    output = most_output(dear, tokens_in, money)
    if output is None:
        assert max(dear.output, dear.reasoning) == 0
        assert most_cost(dear, tokens_in, 10**9) <= money
    elif output < 0:
        assert most_cost(dear, tokens_in, 0) > money
    else:
        assert most_cost(dear, tokens_in, output) <= money
        assert most_cost(dear, tokens_in, output + 1) > money


def test_free_output_still_needs_the_input_paid() -> None:
    assert most_output(Price(10**6, 0, 10**6, 0), 5, 4) == -1
    assert most_output(Price(10**6, 0, 10**6, 0), 5, 5) is None


def test_no_amount_is_larger_than_what_fits_no_budget() -> None:
    dear = Price(10**15, 10**15, 10**15, 10**15)
    assert most_cost(dear, 2**31, 2**31) == MOST + 1
    assert used_cost(dear, Usage(2**62, 2**62)) == MOST + 1
