"""The tree of errors: everything that Gatehouse refuses or fails at, with what a client is told.

    GatehouseError
    ├── SettingsError            the configuration is wrong: one sentence with file and key
    └── ClientError              has a place in OpenAI's error envelope
        ├── InternalError        500  internal_error: a fault of our own
        ├── InvalidRequest       400  invalid_json, invalid_field, unsupported_field, …
        ├── Unauthenticated      401  invalid_api_key
        ├── Forbidden            403  route_not_allowed, role_not_allowed
        ├── NotFound             404  model_not_found, not_found
        ├── Conflict             409  idempotency_conflict
        ├── RequestTimeout       408  request_timeout
        ├── TooLarge             413  request_too_large
        ├── HeadersTooLarge      431  headers_too_large
        ├── RateLimited          429  rate_limit_exceeded
        ├── UpstreamFailed       502  upstream_error, response_invalid
        ├── Unavailable          503  overloaded, draining, upstream_unavailable, …
        └── UpstreamTimeout      504  upstream_timeout

Invariants
- A message is safe: it holds no secret, no value of a field, no text of an upstream, nothing of another tenant.
- Status codes exist only here and in `gateway.api`.
- Anything that is not a `ClientError` reaches a client as "internal error" with the request's id.
"""

from __future__ import annotations

from typing import ClassVar, Literal

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "rate_limit_error",
    "insufficient_quota",
    "upstream_error",
    "overloaded_error",
    "timeout_error",
    "internal_error",
]


class GatehouseError(Exception):
    """Anything that Gatehouse raises on purpose."""


class SettingsError(GatehouseError):
    """The configuration cannot be used; the message names file and key and says what to do."""


class ClientError(GatehouseError):
    """A refusal or failure that a client is told of in OpenAI's error envelope.

    `code` is one of INTERFACE's codes, `param` names the field at fault (never its value), `retry_after` is in seconds.
    `reason` is for the operator's log only: a few fixed words such as "status 500", never content.
    """

    status: ClassVar[int] = 500
    type: ClassVar[ErrorType] = "internal_error"
    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code or self.default_code
        self.param = param
        self.retry_after = retry_after


class InternalError(ClientError):
    """A fault of our own; the client learns nothing but the request's id."""

    def __init__(self) -> None:
        super().__init__("Internal error. Name the x-request-id of this answer when you report it.")


class InvalidRequest(ClientError):
    """The body, a header or a field is wrong; sending it again does not help."""

    status = 400
    type = "invalid_request_error"
    default_code = "invalid_field"


class Unauthenticated(ClientError):
    """The key is missing, malformed, unknown, expired or revoked: one text for all, so that nothing can be probed."""

    status = 401
    type = "authentication_error"
    default_code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__("The API key is missing or not valid. Send it as 'Authorization: Bearer gth_…'.")


class Forbidden(ClientError):
    """The caller is known and may not do this."""

    status = 403
    type = "permission_error"
    default_code = "route_not_allowed"


class NotFound(ClientError):
    """There is no such model, or no such path."""

    status = 404
    type = "invalid_request_error"
    default_code = "not_found"


class MethodNotAllowed(ClientError):
    """The path exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    default_code = "method_not_allowed"


class RequestTimeout(ClientError):
    """Headers or body did not arrive within their deadline."""

    status = 408
    type = "invalid_request_error"
    default_code = "request_timeout"


class Conflict(ClientError):
    """The same idempotency key is being answered right now."""

    status = 409
    type = "invalid_request_error"
    default_code = "idempotency_conflict"


class TooLarge(ClientError):
    """The body is larger than `server.max_body_bytes`."""

    status = 413
    type = "invalid_request_error"
    default_code = "request_too_large"


class HeadersTooLarge(ClientError):
    """The request line and headers are larger than the edge reads."""

    status = 431
    type = "invalid_request_error"
    default_code = "headers_too_large"


class RateLimited(ClientError):
    """Too much in too short a time; `retry_after` says when it may work again."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class UpstreamFailed(ClientError):
    """The upstream answered badly; its text is not passed on."""

    status = 502
    type = "upstream_error"
    default_code = "upstream_error"


class Unavailable(ClientError):
    """Overload, drain or something we need that does not answer; always with `retry_after`."""

    status = 503
    type = "overloaded_error"
    default_code = "overloaded"


class UpstreamTimeout(ClientError):
    """The upstream did not answer within the route's or the upstream's deadline."""

    status = 504
    type = "timeout_error"
    default_code = "upstream_timeout"
