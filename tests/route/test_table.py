"""Public model names and who answers for them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NotFound
from gateway.route.table import Leg, Rotation, Routes
from gateway.settings.tree import Route, RouteUpstream


def servers(*weights: int) -> list[RouteUpstream]:
    return [RouteUpstream(name=f"u{index}", model="m", weight=weight) for index, weight in enumerate(weights)]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any), st.integers(1, 4))
def test_every_leg_is_picked_as_often_as_it_weighs(weights: list[int], rounds: int) -> None:
    rotation = Rotation(servers(*weights))
    picked = Counter(rotation.pick().upstream for _ in range(sum(weights) * rounds))
    assert picked == Counter({f"u{index}": weight * rounds for index, weight in enumerate(weights) if weight})


def test_picks_are_spread_not_bunched() -> None:
    rotation = Rotation(servers(3, 1))
    assert [rotation.pick().upstream for _ in range(4)] in (["u0", "u0", "u1", "u0"], ["u0", "u1", "u0", "u0"])


def test_a_leg_without_weight_gets_nothing() -> None:
    rotation = Rotation(servers(0, 1))
    assert {rotation.pick() for _ in range(5)} == {Leg("u1", "m")}


def test_a_name_resolves_to_its_route_and_names_keep_their_order() -> None:
    routes = Routes({"b": Route(upstreams=(RouteUpstream(name="u", model="x"),)), "a": Route(upstreams=tuple(servers(1)))})
    assert routes.names() == ["b", "a"]
    assert routes.resolve("b").pick() == Leg("u", "x")


def test_an_unknown_name_is_not_found_and_not_repeated() -> None:
    with pytest.raises(NotFound) as caught:
        Routes({}).resolve("gpt-secret")
    assert caught.value.code == "model_not_found"
    assert "gpt-secret" not in caught.value.message
