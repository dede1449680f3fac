"""The gateway before a real vLLM that ends in mid-answer: each test has a server of its own to end."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.door import Door, ended_well, opened
from tests.e2e.real_vllm import RealVllm, own_vllm
from tests.e2e.settings import MODEL, route, section
from tests.e2e.test_vllm import SECONDS_OF_LETTERS
from tests.e2e.wire import Answer, read

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.xdist_group("vllm-ends")]

IDLE_TIMEOUT = 2.0
FIRST_BYTE_TIMEOUT = 15.0
MARGIN = 5.0


@dataclass(frozen=True, slots=True)
class House:
    """A gateway and the vLLM behind it."""

    door: Door
    server: RealVllm


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Serve a gateway with short deadlines before a vLLM that the test may end."""
    if os.environ.get("VLLM_URL"):
        pytest.skip("the server that VLLM_URL names is not ours to end")
    with own_vllm(tmp_path) as server:
        settings = [
            section("server", port=0, drain_grace="100ms", drain_timeout="10s"),
            section(
                "upstreams.vllm",
                kind="vllm",
                base_url=f"{server.url}/v1",
                api_key="env:VLLM_API_KEY",
                first_byte_timeout=f"{FIRST_BYTE_TIMEOUT:g}s",
                idle_timeout=f"{IDLE_TIMEOUT:g}s",
            ),
            route(MODEL, "vllm", model=server.model, max_output_tokens=1900),
            section("tenants.acme"),
        ]
        with opened(tmp_path, "\n".join(settings), VLLM_API_KEY=server.key) as door:
            yield House(door, server)
            ended_well(door.process, within=15)


def finished(connection: http.client.HTTPConnection) -> tuple[Answer, float]:
    """Read an answer to its end; return it and when that was."""
    with connection.getresponse() as response:
        answer = read(response)
    return answer, time.monotonic()


def failed_stream(answer: Answer) -> str:
    """Expect a stream that began and failed; return the code of its last event."""
    assert answer.status == 200
    assert len(answer.events) > 2
    assert "[DONE]" not in answer.events
    last = Answer(200, {}, answer.events[-1].encode())
    return last.code


def test_a_vllm_that_is_told_to_end_leaves_nobody_waiting(house: House) -> None:
    """It either falls silent with its sockets open, or says finish_reason "abort" and [DONE]: neither is an answer."""
    with ExitStack() as stack:
        stream, plain = (
            stack.enter_context(closing(house.door.send(MODEL, "Hello.", stream=streamed, **SECONDS_OF_LETTERS)))
            for streamed in (True, False)
        )
        assert house.server.soon(lambda server: server.running == 2, within=30)
        assert house.server.process is not None
        house.server.process.signal(signal.SIGTERM)
        told = time.monotonic()
        answer, at = finished(stream)
        assert failed_stream(answer) in {"upstream_timeout", "upstream_error"}
        assert at - told < IDLE_TIMEOUT + MARGIN
        answer, at = finished(plain)
        assert answer.status in {502, 503, 504}, answer.body
        assert at - told < FIRST_BYTE_TIMEOUT + MARGIN


def test_a_worker_that_is_killed_fails_the_stream_although_vllm_says_done(house: House) -> None:
    with ExitStack() as stack:
        stream, direct = (
            stack.enter_context(closing(door.send(model, "Hello.", stream=True, **SECONDS_OF_LETTERS)))
            for door, model in ((house.door, MODEL), (past(house), house.server.model))
        )
        assert house.server.soon(lambda server: server.running == 2, within=30)
        os.kill(house.server.worker(), signal.SIGKILL)
        answer, _ = finished(stream)
        control, _ = finished(direct)
    assert failed_stream(answer) == "upstream_error"
    assert b"EngineCore" not in answer.body
    assert '"error"' in control.events[-2]
    assert control.events[-1] == "[DONE]"


def past(house: House) -> Door:
    """Return the vLLM itself as if it were the gateway: what a client would see without one."""
    server = house.server
    return Door(server.host, server.port, key=server.key, process=house.door.process, folder=house.door.folder)
