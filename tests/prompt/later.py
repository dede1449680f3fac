"""A rendering that is awaited, as `fit` takes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.wire.message import Message


def later(render: Callable[[Mapping[str, Any]], list[Message]]) -> Callable[[Mapping[str, Any]], Awaitable[list[Message]]]:
    """Return a rendering whose answer is awaited."""

    async def rendered(values: Mapping[str, Any]) -> list[Message]:
        return render(values)

    return rendered
