"""The FastAPI side: our envelope for its errors, and one OpenAPI document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import APIRouter, FastAPI

from gateway.api.rest import rest_app
from gateway.errors import NotFound
from tests.asgi import Client


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


def client() -> Client:
    router = APIRouter()

    @router.get("/item/{number}")
    async def item(number: int) -> int:
        if number == 0:
            raise NotFound("No.", code="model_not_found")
        return 10 // (number - 1)

    return Client(rest_app([router], version="1", lifespan=lifespan))


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("GET", "/nothing", (404, "not_found", None)),
        ("GET", "/docs", (404, "not_found", None)),
        ("GET", "/item/5/", (404, "not_found", None)),
        ("POST", "/item/5", (405, "method_not_allowed", None)),
        ("GET", "/item/0", (404, "model_not_found", None)),
        ("GET", "/item/five", (400, "invalid_field", "number")),
    ],
)
def test_every_error_is_in_our_envelope(method: str, path: str, error: tuple[int, str, str | None]) -> None:
    assert asyncio.run(client().send(method, path, b"")).error() == error


def test_a_fault_is_told_without_its_text_and_raised_for_the_log() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(client().get("/item/1"))


def test_one_document_describes_both_doors() -> None:
    async def main() -> None:
        for _ in range(2):
            document = (await client().get("/openapi.json")).json()
            assert set(document["paths"]) == {"/item/{number}", "/v1/chat/completions"}
            body = document["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
            name = body["$ref"].rpartition("/")[2]
            schema = document["components"]["schemas"][name]
            assert set(schema["required"]) == {"model"}  # a prompt stands for messages
            assert "temperature" in schema["properties"]

    asyncio.run(main())


def test_every_reference_of_the_document_leads_somewhere() -> None:
    async def main() -> None:
        reply = await client().get("/openapi.json")
        document = reply.json()
        names = {part.split(b'"')[0].decode() for part in reply.body.split(b'"#/components/schemas/')[1:]}
        assert names <= set(document["components"]["schemas"])

    asyncio.run(main())
