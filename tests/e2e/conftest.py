"""The servers that the end-to-end tests share: each is started once per test process and ended with an eye on its exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.door import Door, ended_well, opened
from tests.e2e.process import environment, started
from tests.e2e.real_vllm import RealVllm, vllm
from tests.e2e.relay import Relay, relayed
from tests.e2e.sdk import Node, node, openai_3
from tests.e2e.settings import MODEL, route, section
from tests.e2e.wire import Fake
from tests.replay.conftest import serving_redis

ENDS_WITHIN = 15.0
NOBODY = "http://127.0.0.1:1/v1"
"""Where nothing listens: port 1 is none that a system gives out."""


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    """Serve the product's fake upstream over TCP."""
    command = [sys.executable, "-m", "gateway.upstream.fake", "--port", "0"]
    with started(command, env=environment(), cwd=tmp_path_factory.mktemp("fake")) as process:
        line = process.wait_for(lambda line: line.startswith("ready "), what="its ready line", within=30)
        parts = urlsplit(line.removeprefix("ready "))
        yield Fake(parts.hostname or "", parts.port or 0)


@pytest.fixture(scope="session")
def door(fake: Fake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Serve the gateway before the fake upstream."""
    settings = [
        section("server", port=0, drain_grace="100ms", drain_timeout="10s"),
        section("upstreams.fake", kind="openai", base_url=f"{fake.url}/v1"),
        section("upstreams.impatient", kind="openai", base_url=f"{fake.url}/v1", first_byte_timeout="500ms"),
        section("upstreams.nobody", kind="openai", base_url=NOBODY),
        route(MODEL, "fake", model="fake", max_output_tokens=2000),
        route(f"{MODEL}-impatient", "impatient", model="fake"),
        route(f"{MODEL}-unreachable", "nobody", model="fake"),
        section("tenants.acme"),
    ]
    with opened(tmp_path_factory.mktemp("door"), "\n".join(settings)) as opened_door:
        yield opened_door
        ended_well(opened_door.process, within=ENDS_WITHIN)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a Redis of this test process's own."""
    with serving_redis(tmp_path_factory.mktemp("redis")) as (socket, _process):
        yield f"unix://{socket}"


@pytest.fixture(scope="session")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealVllm]:
    """Serve the real vLLM, or use the one that VLLM_URL names."""
    with vllm(tmp_path_factory.mktemp("vllm")) as server:
        yield server


@pytest.fixture(scope="session")
def relay(vllm_server: RealVllm) -> Iterator[Relay]:
    """Stand between the gateway and the real vLLM."""
    with relayed(vllm_server.host, vllm_server.port) as between:
        yield between


@pytest.fixture(scope="session")
def vllm_door(vllm_server: RealVllm, relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Serve the gateway before the real vLLM, seen through the relay."""
    url, key = f"{relay.url}/v1", "env:VLLM_API_KEY"
    settings = [
        section("server", port=0, drain_grace="100ms", drain_timeout="10s"),
        section("upstreams.vllm", kind="vllm", base_url=url, api_key=key),
        section("upstreams.wrong-key", kind="vllm", base_url=url, api_key="env:WRONG_KEY"),
        section("upstreams.impatient", kind="vllm", base_url=url, api_key=key, first_byte_timeout="1s", idle_timeout="1s"),
        route(MODEL, "vllm", model=vllm_server.model, max_output_tokens=vllm_server.max_model_len - 100),
        route(f"{MODEL}-impatient", "impatient", model=vllm_server.model, max_output_tokens=vllm_server.max_model_len - 100),
        route("wrong-key", "wrong-key", model=vllm_server.model),
        route("unknown-model", "vllm", model="a-model-that-nobody-serves"),
        section("tenants.acme"),
        section("tenants.globex"),
    ]
    keys = {"VLLM_API_KEY": vllm_server.key or "none", "WRONG_KEY": "not-the-upstreams-key"}
    with opened(tmp_path_factory.mktemp("vllm-door"), "\n".join(settings), **keys) as opened_door:
        yield opened_door
        ended_well(opened_door.process, within=ENDS_WITHIN)


@pytest.fixture(scope="session")
def python_sdk_3() -> Path:
    """Return an interpreter with the official Python SDK 3.x."""
    return openai_3()


@pytest.fixture(scope="session")
def node_sdk() -> Node:
    """Return Node with the official Node SDK."""
    return node()
