"""JSON bodies of the control plane: read as strictly as those of the hot endpoints, and described in /openapi.json."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from fastapi import Request

from gateway.api.incoming import Incoming
from gateway.errors import InvalidRequest
from gateway.wire.diagnosis import diagnose

MOST_BYTES: Final = 4_194_304
"""Of one body; the door holds it to `server.max_body_bytes` before."""
JSON: Final = "application/json"

T = TypeVar("T", bound=msgspec.Struct)


async def read_body(request: Request, kind: type[T]) -> T:
    """Return the body as `kind`; raises `InvalidRequest` where it is not JSON, says so nowhere, or does not fit.

    What a form on another site can send without asking names another content type.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise InvalidRequest(f"Send the body as {JSON}.", param="content-type")
    raw = await Incoming("", {}, request.receive, MOST_BYTES).body()
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise diagnose(raw, kind, error) from None


def described(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return what an endpoint adds to the OpenAPI document for a body of `kind`, a struct of plain values."""
    _, components = msgspec.json.schema_components([kind])
    return {"requestBody": {"required": True, "content": {JSON: {"schema": components[kind.__name__]}}}}
