"""Everything that is not a hot endpoint: FastAPI, with our envelope for its errors and one OpenAPI document for both doors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.api.envelope import error_body, error_headers
from gateway.errors import ClientError, InternalError, InvalidRequest, MethodNotAllowed, NotFound
from gateway.wire.chat import ChatRequest

METHOD_NOT_ALLOWED = 405


def rest_app(
    routers: Sequence[APIRouter], *, version: str, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
) -> FastAPI:
    """Return the FastAPI application over the routers."""
    app = FastAPI(
        title="Gatehouse",
        version=version,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere; /openapi.json needs nothing
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    for router in routers:
        app.include_router(router)

    @app.exception_handler(ClientError)
    async def refused(_request: Request, error: ClientError) -> Response:
        return envelope(error)

    @app.exception_handler(HTTPException)
    async def unknown(_request: Request, error: HTTPException) -> Response:
        if error.status_code == METHOD_NOT_ALLOWED:
            return envelope(MethodNotAllowed("This path does not take that method."))
        return envelope(NotFound("There is nothing at this path."))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        place = ".".join(str(part) for part in error.errors()[0]["loc"][1:])[:128]
        return envelope(InvalidRequest("A field is missing or not of its type.", param=place or None))

    @app.exception_handler(Exception)
    async def failed(_request: Request, _error: Exception) -> Response:
        # Starlette raises the error again behind this answer; the dispatch logs it.
        return envelope(InternalError())

    _describe(app)
    return app


def envelope(error: ClientError) -> Response:
    """Return the answer that tells of an error."""
    headers = {name.decode(): value.decode() for name, value in error_headers(error)}
    return Response(error_body(error), status_code=error.status, headers=headers, media_type="application/json")


def _describe(app: FastAPI) -> None:
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        if "/v1/chat/completions" not in document["paths"]:
            (schema,), components = msgspec.json.schema_components([ChatRequest], ref_template="#/components/schemas/{name}")
            document.setdefault("components", {}).setdefault("schemas", {}).update(components)
            document["paths"]["/v1/chat/completions"] = {
                "post": {
                    "tags": ["chat"],
                    "summary": "Create a chat completion, streamed or not (OpenAI's body)",
                    "operationId": "create_chat_completion",
                    "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
                    "responses": {
                        "200": {
                            "description": "A chat completion, or server-sent events where `stream` is true.",
                            "content": {"application/json": {}, "text/event-stream": {}},
                        },
                        "default": {"description": "OpenAI's error envelope.", "content": {"application/json": {}}},
                    },
                }
            }
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend its document
