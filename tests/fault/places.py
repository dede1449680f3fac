"""Gateways and the fake upstream as processes of their own, over a store that outlives them."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.caller.keys import open_keys
from gateway.exchange.caller import Role
from gateway.settings.load import load
from tests.e2e.door import address
from tests.e2e.process import GATEHOUSE, Process, environment, started
from tests.e2e.settings import MODEL, route, section
from tests.e2e.wire import Fake, ask

ROOT = Path(__file__).resolve().parents[2]
PATH = "/fake/requests"
OTHER = "other"
"""A route that tenant `narrow` may use; it may use no other."""


@contextmanager
def fake_upstream(folder: Path) -> Iterator[Fake]:
    """Serve the product's fake upstream over TCP."""
    with started([sys.executable, "-m", "gateway.upstream.fake", "--port", "0"], env=environment(), cwd=folder) as process:
        line = process.wait_for(lambda line: line.startswith("ready "), what="its ready line", within=30)
        parts = urlsplit(line.removeprefix("ready "))
        yield Fake(parts.hostname or "", parts.port or 0)


@dataclass(frozen=True, slots=True)
class Serving:
    """A gateway that serves, until it is killed or ended."""

    host: str
    port: int
    process: Process


class House:
    """Settings and store of a gateway that is started again and again."""

    def __init__(self, folder: Path, fake: Fake) -> None:
        self.folder = folder
        self.file = folder / "gateway.toml"
        upstream = {"kind": "openai", "base_url": f"{fake.url}/v1", "first_byte_timeout": "1s", "idle_timeout": "1s"}
        settings = [
            section("server", port=0, drain_grace="100ms", drain_timeout="10s"),
            section("store", path=str(self.store)),
            section("upstreams.fake", **upstream, max_answer_bytes=1_000_000),
            route(MODEL, "fake", model="fake", max_output_tokens=2000),
            route(OTHER, "fake", model="fake-other"),
            section("tenants.acme"),
            section("tenants.narrow", routes=[OTHER]),
        ]
        self.file.write_text("\n".join(settings))

    @property
    def store(self) -> Path:
        return self.folder / "var"

    def key(self, tenant: str, *, role: Role = "app") -> str:
        """Return a new key of a tenant."""
        keys = open_keys(load(self.file, {}).store)
        try:
            return keys.create(tenant, None, role=role)[0]
        finally:
            keys.close()

    @contextmanager
    def serving(self, command: Sequence[str] = (GATEHOUSE, "serve")) -> Iterator[Serving]:
        """Serve until the context ends."""
        with started([*command, "-c", str(self.file)], env=environment(), cwd=ROOT) as process:
            host, port = address(process)
            yield Serving(host, port, process)


def ledger(fake: Fake) -> list[dict[str, Any]]:
    """Return what the fake has served since the last time, once nothing runs there any more."""
    told: dict[str, Any] = ask(fake.host, fake.port, f"{PATH}?idle=20").json
    assert told["totals"]["running"] == 0
    requests: list[dict[str, Any]] = told["requests"]
    assert told["totals"]["requests"] == len(requests), "the fake keeps the latest only: read it more often"
    with closing(http.client.HTTPConnection(fake.host, fake.port, timeout=30)) as connection:
        connection.request("DELETE", PATH)
        with connection.getresponse() as response:
            response.read()
            assert response.status == 200
    return requests
