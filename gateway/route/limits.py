"""What a route allows a request to ask for. Pure."""

from __future__ import annotations

import msgspec

from gateway.errors import InvalidRequest
from gateway.settings.tree import Route

_keys = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
_NAMED_CHARS = 64


def output_limit(asked: int | None, route: Route) -> tuple[int, bool]:
    """Return the output tokens to ask the upstream for, and whether that is less than the caller asked."""
    if asked is None:
        return route.max_output_tokens, False
    return min(asked, route.max_output_tokens), asked > route.max_output_tokens


def check_template(given: bytes | msgspec.Raw, route: Route) -> None:
    """Raise `InvalidRequest` (unsupported_field) unless the route lets callers set every key of `chat_template_kwargs`."""
    try:
        keys = _keys(given) or {}
    except msgspec.ValidationError:
        raise InvalidRequest("Expected an object.", param="chat_template_kwargs") from None
    for key in keys:
        if key not in route.chat_template_kwargs:
            raise InvalidRequest(
                "This model does not let callers set this key of chat_template_kwargs.",
                code="unsupported_field",
                param=f"chat_template_kwargs.{key[:_NAMED_CHARS] if key.isascii() and key.isprintable() else '?'}",
            )
