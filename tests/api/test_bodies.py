"""A body of the control plane is read as strictly as a chat request, and described as it is read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import Request

from gateway.api.bodies import MOST_BYTES, described, read_body
from gateway.errors import ClientError, InvalidRequest, TooLarge
from gateway.wire.message import WireStruct
from tests.asgi import receiver


class Body(WireStruct, frozen=True):
    """A body of the tests."""

    name: str
    count: int = 1


def read(body: bytes, content_type: str | None = "application/json") -> Body:
    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    request = Request({"type": "http", "headers": headers}, receiver(body))
    return asyncio.run(read_body(request, Body))


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json;"])
def test_a_body_of_json_is_read(content_type: str) -> None:
    assert read(b'{"name": "a", "count": 2}', content_type) == Body("a", 2)


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", "*/*"]
)
def test_what_a_form_could_send_is_refused_unread(content_type: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(b'{"name": "a"}', content_type)
    assert (caught.value.code, caught.value.param) == ("invalid_field", "content-type")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b'{"name": "\xff"}', "invalid_json", None),
        (b"{}", "invalid_field", "name"),
        (b'{"name": null}', "invalid_field", "name"),
        (b'{"name": "a", "count": "1"}', "invalid_field", "count"),
        (b'{"name": "a", "other": 1}', "unsupported_field", "other"),
    ],
)
def test_a_body_that_does_not_fit_names_the_field(body: bytes, code: str, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(body)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_a_body_that_is_nested_too_deeply_is_the_client_s_fault() -> None:
    with pytest.raises(ClientError) as caught:
        read(b'{"name": ' + b"[" * 100_000)
    assert caught.value.status == 400


def test_a_body_that_is_too_large_is_not_read() -> None:
    with pytest.raises(TooLarge):
        read(b" " * (MOST_BYTES + 1))


def test_a_body_is_described_for_the_openapi_document() -> None:
    described_body: Any = described(Body)["requestBody"]
    assert described_body["required"] is True
    schema = described_body["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"name", "count"}
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
