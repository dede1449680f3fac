"""Who may see what: callers by key, operators or the machine itself for what only they should see."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import Request

from gateway.api.access import Access
from gateway.errors import Forbidden, Unauthenticated
from gateway.exchange.caller import Caller, Role


class Callers:
    async def identify(self, credential: str | None) -> Caller:
        roles: dict[str | None, Role] = {"op": "operator", "app": "app"}
        if credential not in roles:
            raise Unauthenticated
        return Caller("acme", app=None, key_id="k", role=roles[credential])


def request(address: str | None, **headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": pairs, "client": (address, 1) if address else None, "method": "GET", "path": "/"})


ACCESS = Access(Callers())  # type: ignore[arg-type]  # the seam is one method of it


def test_a_caller_is_who_its_key_says() -> None:
    assert asyncio.run(ACCESS.caller(request("10.0.0.1", authorization="Bearer app"))).tenant == "acme"
    with pytest.raises(Unauthenticated):
        asyncio.run(ACCESS.caller(request("127.0.0.1")))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_the_machine_itself_is_an_operator(address: str) -> None:
    asyncio.run(ACCESS.operator(request(address)))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", None])
def test_an_operator_s_key_is_good_from_anywhere(address: str | None) -> None:
    asyncio.run(ACCESS.operator(request(address, x_api_key="op", x_forwarded_for="1.2.3.4")))


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("10.0.0.1", {}),
        ("10.0.0.1", {"authorization": "Bearer app"}),
        ("127.0.0.1", {"x_forwarded_for": "10.0.0.1"}),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}),
        ("unix:", {}),
        (None, {}),
    ],
)
def test_anybody_else_is_not(address: str | None, headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden) as error:
        asyncio.run(ACCESS.operator(request(address, **headers)))
    assert error.value.code == "role_not_allowed"
