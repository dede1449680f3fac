"""One HTTP request and its answer, plainly: what the SDKs do not show."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec

TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read to its end; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """The code of OpenAI's error envelope."""
        code: str = self.json["error"]["code"]
        return code

    @property
    def events(self) -> list[str]:
        """The data of the server-sent events."""
        return [line.removeprefix("data: ") for line in self.body.decode().splitlines() if line.startswith("data: ")]


def read(response: http.client.HTTPResponse) -> Answer:
    """Read an answer to its end, also one that is cut."""
    try:
        body = response.read()
    except http.client.IncompleteRead as cut:
        body = cut.partial
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def ask(host: str, port: int, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a GET, or a POST where there is a body, on a connection of its own, and read the answer to its end."""
    with closing(http.client.HTTPConnection(host, port, timeout=TIMEOUT)) as connection:
        connection.request("GET" if body is None else "POST", path, body, {"connection": "close", **(headers or {})})
        with connection.getresponse() as response:
            return read(response)


@dataclass(frozen=True, slots=True)
class Fake:
    """The fake upstream's server, and what it says of itself."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The root of the server."""
        return f"http://{self.host}:{self.port}"

    def totals(self, *, idle: float = 0.0) -> dict[str, Any]:
        """Return the ledger's sums, after waiting up to `idle` seconds until nothing runs."""
        totals: dict[str, Any] = ask(self.host, self.port, f"/fake/requests?idle={idle}").json["totals"]
        return totals
