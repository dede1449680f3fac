"""OpenAI's error envelope: what every refusal and failure looks like on the wire, from the app and from the door below it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.errors import ClientError, Unauthenticated

_encode = msgspec.json.Encoder().encode


def error_body(error: ClientError) -> bytes:
    """Return the envelope as JSON: message, type, param and code; nothing else of the error reaches a client."""
    fields = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return _encode({"error": fields})


def error_headers(error: ClientError) -> list[tuple[bytes, bytes]]:
    """Return the headers that an error adds to those of its body, names in lower case.

    `retry-after` is in whole seconds, rounded up (RFC 9110, section 10.2.3); a 401 names the scheme that would have been
    accepted (section 11.6.1).
    """
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(0, math.ceil(error.retry_after))))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def closing_response(error: ClientError, request_id: str, *, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a whole HTTP/1.1 response for an error that is told below ASGI; the connection ends with it."""
    body = error_body(error)
    headers = [
        *default_headers,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode("ascii")),
        *error_headers(error),
        (b"connection", b"close"),
    ]
    return STATUS_LINE[error.status] + b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n" + body
