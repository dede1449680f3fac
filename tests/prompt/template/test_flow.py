from __future__ import annotations

import itertools

import pytest

from gateway.prompt.template.flow import NOWHERE, UNSURE, Place, join
from gateway.prompt.template.roles import Voice

USER, SYSTEM = Voice("user"), Voice("system")
PLACES = [
    NOWHERE,
    UNSURE,
    Place("line", USER, 1, 0),
    Place("line", SYSTEM, 2, 0),
    Place("message", USER),
    Place("message", SYSTEM),
    Place("thread", USER),
    Place("thread", SYSTEM),
]


@pytest.mark.parametrize("place", PLACES)
def test_two_ways_to_the_same_place_lead_there(place: Place) -> None:
    assert join(place, place) == place


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(PLACES, 2)))
def test_it_does_not_matter_which_way_comes_first(one: Place, other: Place) -> None:
    assert join(one, other) == join(other, one)


@pytest.mark.parametrize("place", PLACES)
def test_what_is_unsure_stays_so(place: Place) -> None:
    assert join(UNSURE, place) == UNSURE


def test_text_behind_a_role_line_or_further_on_is_in_a_message_either_way() -> None:
    assert join(Place("line", USER, 1, 0), Place("message", USER)) == Place("message", USER)
    assert join(Place("message", USER), Place("message", SYSTEM)) == Place("message")


def test_text_behind_either_of_two_threads_is_behind_a_thread() -> None:
    assert join(Place("thread", USER), Place("thread", SYSTEM)) == Place("thread")


@pytest.mark.parametrize("place", [Place("message", USER), Place("line", USER, 1, 0), NOWHERE])
def test_behind_a_thread_or_elsewhere_is_unsure(place: Place) -> None:
    assert join(Place("thread", USER), place) == UNSURE


@pytest.mark.parametrize("place", [Place("message", USER), Place("line", USER, 1, 0)])
def test_before_the_first_role_line_or_behind_it_is_unsure(place: Place) -> None:
    assert join(NOWHERE, place) == UNSURE
