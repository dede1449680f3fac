from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.stats import Figure, percentile

_values = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50)


def test_a_figure_is_the_median_of_its_passes_with_their_extremes() -> None:
    assert Figure.of([3.0, 9.0, 1.0]) == Figure(3.0, 1.0, 9.0)


def test_the_median_of_an_even_number_of_passes_lies_between_the_middle_two() -> None:
    assert Figure.of([1.0, 2.0, 4.0, 9.0]).median == 3.0


@pytest.mark.parametrize(("at", "expected"), [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_a_percentile_is_the_nearest_rank(at: float, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 101)], at) == expected


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@given(_values, st.floats(0.0, 1.0))
def test_a_percentile_is_one_of_the_values_and_exceeded_by_no_larger_share(values: list[float], at: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, at)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= at * len(ordered) - 1e-9


@given(_values)
def test_a_figure_keeps_its_order(values: list[float]) -> None:
    figure = Figure.of(values)
    assert figure.low <= figure.median <= figure.high
