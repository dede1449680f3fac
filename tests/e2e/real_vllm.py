"""The real vLLM server of `vllm/`, served on a free port, or one that `VLLM_URL` names."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.e2e.process import Process, environment, started
from tests.e2e.sdk import cache, locked
from tests.e2e.wire import Answer, ask

KIT = Path(__file__).with_name("vllm")
SETUP_WITHIN = 900.0
OPTIONS = ("--enable-prompt-tokens-details", "--enable-auto-tool-choice", "--tool-call-parser", "hermes")
READY_WITHIN = 180.0
"""Seconds from the start to the ready line on a busy machine; 20 to 45 on an idle one."""

_pause = threading.Event()
_completed = re.compile(
    r'^vllm:request_success_total\{[^}]*finished_reason="(?:stop|length|repetition)"[^}]*\} (\S+)$', re.MULTILINE
)
_running = re.compile(r"^vllm:num_requests_running\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RealVllm:
    """A vLLM server; `process` is None where it is not ours."""

    host: str
    port: int
    key: str
    model: str
    max_model_len: int
    process: Process | None

    @property
    def url(self) -> str:
        """The root of the server, without /v1."""
        return f"http://{self.host}:{self.port}"

    @property
    def running(self) -> float:
        """How many requests the engine works on right now."""
        return self._sum(_running)

    @property
    def completed(self) -> float:
        """How many requests the engine has worked on to their end."""
        return self._sum(_completed)

    def soon(self, held: Callable[[RealVllm], bool], *, within: float) -> bool:
        """Wait until something holds; asks twenty times a second, for a page of metrics costs the server milliseconds."""
        deadline = time.monotonic() + within
        while not held(self):
            if time.monotonic() > deadline:
                return False
            _pause.wait(0.05)
        return True

    def worker(self) -> int:
        """Return the process id of the worker of a server of our own: the one of its process group that has that name."""
        assert self.process is not None
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getpgid(int(folder.name)) == self.process.pid and b"Worker" in (folder / "cmdline").read_bytes():
                    return int(folder.name)
        raise AssertionError("vLLM has no worker process")

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Answer:
        """Ask the server directly, past the gateway."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        common = {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
        return ask(self.host, self.port, path, body=msgspec.json.encode(body), headers={**common, **named})

    def _sum(self, pattern: re.Pattern[str]) -> float:
        return sum(float(value) for value in pattern.findall(ask(self.host, self.port, "/metrics").body.decode()))


@contextmanager
def vllm(folder: Path) -> Iterator[RealVllm]:
    """Yield the server that `VLLM_URL` (with `VLLM_API_KEY`) names, or serve one of our own."""
    url = os.environ.get("VLLM_URL", "")
    if not url:
        with own_vllm(folder) as server:
            yield server
        return
    parts = urlsplit(url)
    yield _described(parts.hostname or "", parts.port or 80, key=os.environ.get("VLLM_API_KEY", ""), process=None)


@contextmanager
def own_vllm(folder: Path) -> Iterator[RealVllm]:
    """Serve the tiny model on a free port, with an API key, until the context ends."""
    with locked(cache() / "vllm-setup.lock"):
        done = subprocess.run([KIT / "setup"], capture_output=True, text=True, timeout=SETUP_WITHIN, check=False)
    if done.returncode != 0 and os.environ.get("GATEHOUSE_OFFLINE") == "1":
        pytest.skip("GATEHOUSE_OFFLINE=1 and vLLM's environment has not been set up")
    if done.returncode != 0:
        pytest.fail(f"vLLM's environment could not be set up by tests/e2e/vllm/setup:\n{done.stderr[-2000:]}", pytrace=False)
    key = "a-key-of-the-upstream"
    port = free_port()
    env = environment(VLLM_API_KEY=key)
    with started([str(KIT / "serve"), str(port), *OPTIONS], env=env, cwd=folder) as process:
        process.wait_for(lambda line: "Application startup complete" in line, what="its ready line", within=READY_WITHIN)
        _accepts(port, within=READY_WITHIN)
        yield _described("127.0.0.1", port, key=key, process=process)


def _accepts(port: int, *, within: float) -> None:
    """Wait until the socket is open, which is a moment after the ready line."""
    deadline = time.monotonic() + within
    while True:
        try:
            assert ask("127.0.0.1", port, "/health").status == 200
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"vLLM does not listen within {within:g} s of its ready line"
            _pause.wait(0.05)
        else:
            return


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _described(host: str, port: int, *, key: str, process: Process | None) -> RealVllm:
    listed = ask(host, port, "/v1/models", headers={"authorization": f"Bearer {key}"}).json["data"]
    base = next(model for model in listed if model.get("max_model_len"))
    return RealVllm(host, port, key=key, model=base["id"], max_model_len=base["max_model_len"], process=process)
