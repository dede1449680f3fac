"""What a caller is told when an upstream refuses: our own words for every status.

One exception: a 400 that names a field of the caller's own request keeps its text, because only the upstream knows what was
wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.errors import ClientError, InvalidRequest, RateLimited, TooLarge, Unavailable, UpstreamFailed, UpstreamTimeout

MAX_REFUSAL_BYTES = 65_536
"""How much of a refusal's body is read."""

_MAX_MESSAGE = 300
_CONTEXT_PARAMS = frozenset({"input_tokens", "max_tokens", "max_completion_tokens"})
_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})


class _Error(msgspec.Struct):
    message: str = ""
    param: str | None = None
    code: str | int | None = None


class _Envelope(msgspec.Struct):
    error: _Error


_decode = msgspec.json.Decoder(_Envelope).decode


def read_refusal(status: int, headers: Mapping[str, str], body: bytes, *, fields: frozenset[str]) -> ClientError:
    """Return the error for an upstream's answer that is not 200; `fields` are those that a caller may set."""
    reason = f"status {status}"
    if status in {400, 422}:
        return _bad_request(body, fields, reason)
    if status == 413:  # noqa: PLR2004
        return TooLarge("The model's server takes no request of this size.", reason=reason)
    if status == 429:  # noqa: PLR2004
        return RateLimited(
            "The model's server is being asked too much; try again later.", retry_after=retry_after(headers), reason=reason
        )
    if status == 503:  # noqa: PLR2004
        return Unavailable(
            "The model's server takes no requests right now.",
            code="upstream_unavailable",
            retry_after=retry_after(headers),
            reason=reason,
        )
    if status == 504:  # noqa: PLR2004
        return UpstreamTimeout("The model's server did not answer in time.", reason=reason)
    return UpstreamFailed("The model's server failed.", reason=reason)


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of a `Retry-After` header, between 1 and 3,600; 1 where it is missing or a date."""
    text = headers.get("retry-after", "")
    return float(min(max(int(text), 1), 3600)) if text.isascii() and text.isdigit() and len(text) < 10 else 1.0  # noqa: PLR2004


def _bad_request(body: bytes, fields: frozenset[str], reason: str) -> ClientError:
    try:
        error = _decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        error = _Error()
    if error.param in _CONTEXT_PARAMS or error.code in _CONTEXT_CODES:
        return InvalidRequest(
            "The messages and the requested output do not fit into the model's context window.",
            code="context_length_exceeded",
            param="messages",
            reason=reason,
        )
    if error.param and _field(error.param) in fields:
        return InvalidRequest(_plain(error.message), param=error.param[:128], reason=reason)
    return InvalidRequest("The model's server refused the request as invalid.", reason=reason)


def _field(param: str) -> str:
    for index, character in enumerate(param):
        if character in ".[":
            return param[:index]
    return param


def _plain(message: str) -> str:
    text = "".join(character if character.isprintable() else " " for character in message[:_MAX_MESSAGE])
    return text or "The model's server refused this field."
