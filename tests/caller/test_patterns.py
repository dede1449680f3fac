"""A route is allowed by its name, by a prefix, or by a star."""

from __future__ import annotations

import pytest

from gateway.caller.patterns import Patterns
from gateway.errors import SettingsError


@pytest.mark.parametrize(
    ("patterns", "name", "allowed"),
    [
        ((), "chat", False),
        (("*",), "chat", True),
        (("chat",), "chat", True),
        (("chat",), "chat-large", False),
        (("chat",), "Chat", False),
        (("team-*",), "team-a", True),
        (("team-*",), "team-", True),
        (("team-*",), "team", False),
        (("team-*",), "a-team-a", False),
        (("other", "team-*", "chat"), "chat", True),
        (("c?at",), "chat", False),
        (("[c]hat",), "chat", False),
        (("",), "chat", False),
    ],
)
def test_a_name_is_allowed_by_itself_its_prefix_or_a_star(patterns: tuple[str, ...], name: str, allowed: bool) -> None:
    assert Patterns(patterns, where="tenants.acme.routes").match(name) is allowed


@pytest.mark.parametrize("pattern", ["*-large", "a*b", "**", "a**"])
def test_a_star_before_the_end_is_refused_with_its_key(pattern: str) -> None:
    with pytest.raises(SettingsError, match=r"^tenants\.acme\.routes: '.*' has a star that is not at its end"):
        Patterns(["chat", pattern], where="tenants.acme.routes")
