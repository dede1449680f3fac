"""A request at the edge: the headers that are read, and its body within its size."""

from __future__ import annotations

import asyncio

import pytest

from gateway.api.incoming import Incoming, host_of, read_headers
from gateway.errors import InvalidRequest, TooLarge
from tests.asgi import receiver


def incoming(headers: dict[bytes, bytes] | None = None, *parts: bytes) -> Incoming:
    return Incoming("id", headers or {}, receiver(list(parts) or [b""]), 10)


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ({}, None),
        ({b"authorization": b"Bearer key"}, "key"),
        ({b"authorization": b"bEARER   key "}, "key"),
        ({b"authorization": b"Basic key"}, None),
        ({b"x-api-key": b"other"}, "other"),
        ({b"authorization": b"Bearer key", b"x-api-key": b"other"}, "key"),
        ({b"authorization": b"Basic key", b"x-api-key": b"other"}, "other"),
        ({b"x-api-key": b"\xff"}, "\xff"),
    ],
)
def test_a_credential_is_a_bearer_or_an_api_key(headers: dict[bytes, bytes], credential: str | None) -> None:
    assert incoming(headers).credential == credential


def test_the_idempotency_key_is_as_it_was_sent() -> None:
    assert incoming().idempotency_key is None
    assert incoming({b"idempotency-key": b"a b"}).idempotency_key == "a b"


@pytest.mark.parametrize("parts", [[b"0123456789"], [b"01234", b"56789"], [b"", b"0123456789", b""]])
def test_a_body_may_come_in_parts_up_to_its_size(parts: list[bytes]) -> None:
    assert asyncio.run(incoming(None, *parts).body()) == b"0123456789"


@pytest.mark.parametrize("parts", [[b"0123456789a"], [b"01234", b"567890"], [b"0" * 10, b"", b"1"]])
def test_a_body_beyond_its_size_is_refused(parts: list[bytes]) -> None:
    with pytest.raises(TooLarge):
        asyncio.run(incoming(None, *parts).body())


def test_a_client_that_goes_while_it_sends_cancels() -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def main() -> None:
        await Incoming("id", {}, receive, 10).body()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_only_our_headers_are_kept_and_each_may_come_once() -> None:
    assert read_headers([(b"cookie", b"c"), (b"host", b"h"), (b"authorization", b"a")]) == {
        b"host": b"h",
        b"authorization": b"a",
    }
    assert read_headers([(b"x-forwarded-for", b"a"), (b"x-forwarded-for", b"b")]) == {b"x-forwarded-for": b"b"}
    with pytest.raises(InvalidRequest) as error:
        read_headers([(b"x-api-key", b"a"), (b"x-api-key", b"a")])
    assert error.value.param == "x-api-key"


@pytest.mark.parametrize(
    ("headers", "host"),
    [({}, ""), ({b"host": b"A.example:80"}, "a.example"), ({b"host": b"[::1]:80"}, "::1"), ({b"host": b"[broken"}, "broken")],
)
def test_the_host_is_a_name_without_its_port(headers: dict[bytes, bytes], host: str) -> None:
    assert host_of(headers) == host
