from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.keys import (
    Key,
    advice,
    annotation,
    dotted,
    is_list,
    is_table_of_names,
    nearest,
    scalar,
    settings_below,
)
from gateway.settings.tree import Route, RouteUpstream, Settings


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ((), ""),
        (("server", "port"), "server.port"),
        (("routes", "meta/llama-3.1", "upstreams", 0, "weight"), 'routes."meta/llama-3.1".upstreams[0].weight'),
        (("routes", 'a"\\b'), 'routes."a\\"\\\\b"'),
    ],
)
def test_a_key_is_shown_as_toml_writes_it(key: Key, text: str) -> None:
    assert dotted(key) == text


@given(st.lists(st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"])), min_size=1))
def test_a_key_that_is_shown_can_be_pasted_into_the_file(parts: list[str]) -> None:
    node: object = tomllib.loads(f"{dotted(tuple(parts))} = 1")
    for part in parts:
        assert isinstance(node, dict)
        node = node[part]
    assert node == 1


def test_the_tree_is_walked_through_tables_of_names_and_lists() -> None:
    assert annotation(()) is Settings
    assert annotation(("routes", "any")) is Route
    assert annotation(("routes", "any", "upstreams", 0)) is RouteUpstream
    assert annotation(("routes", "any", "upstreams", 0, "weight")) is int


@pytest.mark.parametrize("key", [("nothing",), ("server", "port", "deeper"), ("nothing", "deeper"), ("server", "nothing", "x")])
def test_a_key_that_is_not_in_the_tree_has_no_type(key: Key) -> None:
    assert annotation(key) is None
    assert settings_below(key) is None


def test_kinds_of_values_are_told_apart() -> None:
    assert settings_below(("store",)) == ["path", "redis", "database"]
    assert settings_below(("server", "port")) is None
    assert is_table_of_names(("upstreams",))
    assert not is_table_of_names(("server",))
    assert is_list(("server", "allowed_hosts"))
    assert not is_list(("server", "host"))
    assert scalar(("server", "port")) is int
    assert scalar(("server", "header_timeout")) is None
    assert scalar(("upstreams", "a", "api_key")) is None
    assert scalar(("routes", "a", "context_window")) is int
    assert scalar(("routes", "a", "payloads")) is None


def test_the_nearest_name_is_offered_else_what_is_known() -> None:
    assert nearest("prot", ["host", "port"]) == "port"
    assert nearest("zzz", ["host", "port"]) is None
    assert advice("prot", ["host", "port"]) == 'did you mean "port"?'
    assert advice("zzz", ["port", "host"]) == "known: host, port"
    assert advice("zzz", []) == "there is none"


def test_a_long_list_of_known_names_is_cut() -> None:
    text = advice("zzz", [f"name{number:03}" for number in range(50)])
    assert text.endswith("name011, …")
