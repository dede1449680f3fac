"""A running `gatehouse serve`: its settings file, its key, and plain HTTP to it."""

from __future__ import annotations

import http.client
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from tests.e2e.process import GATEHOUSE, Process, environment, json_line, started
from tests.e2e.wire import Answer, read

READY_WITHIN = 30.0
"""Seconds from the start to the ready line on a busy machine; the bench measures how long it takes on an idle one."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a gateway listens, with a key for it."""

    host: str
    port: int
    key: str
    process: Process
    folder: Path

    @property
    def base_url(self) -> str:
        """What an SDK takes as its base URL."""
        return f"http://{self.host}:{self.port}/v1"

    def as_tenant(self, tenant: str) -> Door:
        """Return the same gateway with a new key of another tenant."""
        key = create_key(self.folder / "gateway.toml", tenant, env=environment())
        return replace(self, key=key)

    def chat(self, model: str, text: str, **fields: Any) -> Answer:
        """Send one chat request and read its answer to the end."""
        with closing(self.send(model, text, **fields)) as connection, connection.getresponse() as response:
            return read(response)

    def send(self, model: str, text: str, **fields: Any) -> http.client.HTTPConnection:
        """Send one chat request; the caller reads the answer and closes the connection."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        return self.post("/v1/chat/completions", msgspec.json.encode(body))

    def post(self, path: str, body: bytes, **headers: str) -> http.client.HTTPConnection:
        """Send a POST on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        common = {"authorization": f"Bearer {self.key}", "content-type": "application/json", "connection": "close"}
        connection.request("POST", path, body, {**common, **named})
        return connection


@contextmanager
def opened(folder: Path, settings: str, *, flags: Sequence[str] = (), **env: str) -> Iterator[Door]:
    """Serve `settings` on a free port with a fresh key of acme, until the context ends; the test decides how the process ends.

    `flags` are for Python itself.
    """
    file = folder / "gateway.toml"
    file.write_text(settings)
    variables = environment(**env)
    key = create_key(file, "acme", env=variables)
    with started([sys.executable, *flags, GATEHOUSE, "serve", "-c", str(file)], env=variables, cwd=folder) as process:
        host, port = address(process)
        yield Door(host, port, key, process, folder)


def address(process: Process) -> tuple[str, int]:
    """Return where a gateway listens, from its ready line."""
    line = process.wait_for(lambda line: json_line(line).get("event") == "ready", what="a ready line", within=READY_WITHIN)
    found = re.search(r"(\d+\.\d+\.\d+\.\d+):(\d+)", line)
    assert found, f"the ready line names no address: {line}"
    return found[1], int(found[2])


def create_key(file: Path, tenant: str, *, env: Mapping[str, str]) -> str:
    """Return a new key of a tenant, made by the command line."""
    done = run("keys", "create", "--tenant", tenant, "--json", "-c", str(file), env=env, cwd=file.parent)
    assert done.returncode == 0, done.stderr
    key: str = msgspec.json.decode(done.stdout)["key"]
    return key


def run(*words: str, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one `gatehouse` command to its end."""
    return subprocess.run(
        [GATEHOUSE, *words], env=env, cwd=cwd, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
    )


def only_sentence(stderr: str) -> str:
    """Return what a command said on stderr beside its log, which is one line."""
    lines = [line for line in stderr.splitlines() if not json_line(line)]
    assert len(lines) == 1, stderr
    return lines[0]


def ended_well(process: Process, *, within: float) -> None:
    """Ask a gateway to end and expect that it does, with exit code 0 and nothing that looks like a fault of its own."""
    process.signal(signal.SIGTERM)
    code = process.wait(within=within)
    assert code == 0, f"{shlex.join(process.command)} ended with {code}:\n{process.output}"
    assert "Traceback" not in process.output, process.output
