"""Places at an upstream."""

import pytest

from gateway.errors import Unavailable
from gateway.upstream.slots import Slots


def test_a_place_is_given_back_also_when_the_work_fails() -> None:
    slots = Slots(1)
    with pytest.raises(ZeroDivisionError), slots:
        assert slots.in_flight == 1
        raise ZeroDivisionError
    assert slots.in_flight == 0


def test_more_than_the_limit_is_overload_with_an_answer() -> None:
    slots = Slots(2)
    with slots, slots:
        with pytest.raises(Unavailable) as caught, slots:
            raise AssertionError
        assert (caught.value.code, caught.value.retry_after) == ("overloaded", 1.0)
        assert slots.in_flight == 2
    with slots:
        assert slots.in_flight == 1
