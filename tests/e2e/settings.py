"""gateway.toml for the tests, written from values."""

from __future__ import annotations

from typing import Any

import msgspec

MODEL = "chat-default"
"""The route that the client scripts are told of; those for faults have their names from it."""


def section(name: str, **values: Any) -> str:
    """Return one table of TOML; strings, numbers, booleans and lists of them are written alike in JSON."""
    lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def route(name: str, upstream: str, *, model: str, **values: Any) -> str:
    """Return a route with one upstream."""
    leg = f"upstreams = [{{ name = {_quoted(upstream)}, model = {_quoted(model)} }}]"
    return section(f"routes.{_quoted(name)}", **values) + leg + "\n"


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
