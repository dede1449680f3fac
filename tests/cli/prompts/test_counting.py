"""A route's tokens are counted as the gateway counts them, and bounded where that cannot be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.cli.prompts.counting import Counting
from gateway.settings.load import load
from gateway.settings.tree import Settings
from tests.cli.prompts.house import TOML

MORE = """
[upstreams.locked]
kind = "vllm"
base_url = "http://127.0.0.1:1/v1"
api_key = "env:NOBODY_SET_THIS"
[routes.locked]
upstreams = [{ name = "locked", model = "m" }]
[upstreams.known]
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
[routes.unknown]
upstreams = [{ name = "known", model = "m" }]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "gateway.toml"
    file.write_text(TOML + MORE)
    return load(file, {})


def counted(settings: Settings, route: str | None) -> tuple[str, str, list[int]]:
    counting = Counting(settings, route)

    async def main() -> tuple[str, str, list[int]]:
        async with counting as counter:
            return counter.name, counting.note, [*await counter.texts(["one two three"])]

    return asyncio.run(main())


def test_a_route_is_counted_by_its_own_counter(settings: Settings) -> None:
    assert counted(settings, "chat") == ("fake", "", [4])


@pytest.mark.parametrize("route", [None, "nowhere"])
def test_a_route_that_is_not_there_is_bounded(settings: Settings, route: str | None) -> None:
    assert counted(settings, route) == ("bound", "", [13])


def test_a_model_whose_tokenizer_nobody_knows_is_bounded_and_said_so(settings: Settings) -> None:
    name, note, counts = counted(settings, "unknown")
    assert (name, counts) == ("bound", [13])
    assert note.startswith("routes.unknown: tokens are bounded, not counted: ")


def test_a_server_whose_key_is_not_there_is_bounded_and_said_so(settings: Settings) -> None:
    name, note, counts = counted(settings, "locked")
    assert (name, counts) == ("bound", [13])
    assert note.startswith("Tokens are bounded, not counted: ")
    assert "upstreams.locked.api_key" in note
