"""The composition root."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import build_upstreams
from gateway.errors import SettingsError
from gateway.settings.load import load
from tests.asgi import Client
from tests.gatehouse import Gatehouse
from tests.replay.conftest import serving_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    with serving_redis(tmp_path) as (place, _):
        yield f"unix://{place}"


def test_an_upstream_s_missing_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[upstreams.a]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\napi_key = "env:NOT_SET_ANYWHERE"\n')
    with pytest.raises(SettingsError, match=r"upstreams\.a\.api_key: .*NOT_SET_ANYWHERE"):
        build_upstreams(load(file, {}))


def test_the_lifespan_closes_everything(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        said: list[str] = []
        running: list[bool] = []
        asked = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> dict[str, str]:
            running.append(any(thread.name == "gatehouse-catching-up" for thread in threading.enumerate()))
            return {"type": next(asked)}

        async def send(message: dict[str, str]) -> None:
            said.append(message["type"])

        await client.app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
        assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert running == [False, True], "search indices are kept near their logs while it serves"
        assert not any(thread.name == "gatehouse-catching-up" for thread in threading.enumerate())

    gatehouse.run(test, started=False)


def test_with_redis_repeats_are_kept_there_and_it_is_part_of_readiness(tmp_path: Path, redis: str) -> None:
    gatehouse = Gatehouse(tmp_path, f'[store]\nredis = "{redis}"\n')

    async def test(client: Client) -> None:
        body = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
        first = await client.post("/v1/chat/completions", body, idempotency_key="k")
        again = await client.post("/v1/chat/completions", body, idempotency_key="k")
        assert again.body == first.body
        assert (await client.get("/readyz")).json() == {"status": "ok", "failing": []}

    gatehouse.run(test)


def test_redis_that_is_down_degrades_and_refuses_only_who_needs_it(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path, '[store]\nredis = "redis://127.0.0.1:1/0"\n')

    async def test(client: Client) -> None:
        body = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
        assert (await client.post("/v1/chat/completions", body)).status == 200
        assert (await client.post("/v1/chat/completions", body, idempotency_key="k")).status == 503
        assert (await client.get("/readyz")).json() == {"status": "degraded", "failing": ["redis"]}

    gatehouse.run(test)


def test_the_gateway_imports_neither_managed_apis_nor_guardrails_nor_what_is_not_configured() -> None:
    heavy = ("litellm", "guardrails", "vllm", "tiktoken", "redis", "alembic", "pg8000", "openai")
    script = f"import sys, gateway.app, gateway.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(_client: Client) -> None:
        assert gatehouse._application is not None
        await gatehouse._application.close()
        await asyncio.sleep(0)

    gatehouse.run(test)
