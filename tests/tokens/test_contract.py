"""A count is a number that knows whether it was counted."""

from gateway.tokens.contract import Count


def test_a_count_is_a_number_that_tells_whether_it_is_exact() -> None:
    counted, bounded = Count(7, exact=True), Count(7, exact=False)
    assert counted == bounded == 7
    assert (counted.exact, bounded.exact) == (True, False)


def test_a_sum_of_counts_claims_nothing() -> None:
    total = Count(3, exact=True) + Count(4, exact=True)
    assert total == 7
    assert type(total) is int
