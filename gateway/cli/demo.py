"""`gatehouse demo`: the whole gateway on one machine, shown by exchanges that anyone can repeat.

The gateway runs as a process of its own, exactly as `gatehouse serve` would run it; the demonstration is its client.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer

from gateway.cli.exits import FAILED, exits
from gateway.cli.samples import Samples
from gateway.errors import SettingsError

PORT = 8080
START_DEADLINE = 30.0
"""Seconds that the gateway may take to be ready."""

_FAKE = '[upstreams.demo]\nkind = "fake"\n'
_REAL = '[upstreams.demo]\nkind = "openai"\nbase_url = {url}\n'
_PROMPT = """---
model: {id: demo, options: {maxOutputTokens: 32}}
inputs: [{name: name, kind: string}]
---
system:
You greet people in one short sentence.
user:
I am {{name}}.
"""
_REST = """
[store]
path = "var"

[routes.demo]
upstreams = [{{ name = "demo", model = {model} }}]

[tenants.demo]
"""


class _Event(msgspec.Struct):
    event: str = ""
    address: str = ""


class _Key(msgspec.Struct):
    key: str


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the sample exchanges.")] = False,
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes a free port.", min=0, max=65535)] = PORT,
) -> None:
    """Run the gateway with a built-in fake upstream and send sample exchanges through it.

    With UPSTREAM=http://host:8000/v1 (and UPSTREAM_API_KEY) in the environment it fronts that server instead.
    """
    upstream = os.environ.get("UPSTREAM", "").rstrip("/")
    with exits(), tempfile.TemporaryDirectory(prefix="gatehouse-demo-") as folder:
        config = Path(folder) / "gateway.toml"
        config.write_text(_settings(upstream), encoding="utf-8")
        _publish_prompt(config)
        key = msgspec.json.decode(_gatehouse("keys", "create", "--tenant", "demo", "--json", "-c", str(config)), type=_Key).key
        with _serving(config, port) as (process, address):
            typer.echo(f"Gatehouse is ready at {address}, in front of {upstream or 'its built-in fake upstream'}.\n")
            ok = Samples(address, key, real=bool(upstream)).run()
            _say_how_to_go_on(address, key)
            if not once:
                _wait(process)
        if not ok:
            raise typer.Exit(FAILED)


def _publish_prompt(config: Path) -> None:
    folder = config.parent / "prompts" / "demo" / "greeting"
    folder.mkdir(parents=True)
    (folder / "draft.prompty").write_text(_PROMPT, encoding="utf-8")
    (folder / "labels.yaml").write_text("production: v1\n", encoding="utf-8")
    _gatehouse("prompts", "publish", "demo/greeting", "-c", str(config))


def _settings(upstream: str) -> str:
    if not upstream:
        return _FAKE + _REST.format(model='"fake"')
    from gateway.cli.samples import first_model  # noqa: PLC0415  # asks the server

    key = os.environ.get("UPSTREAM_API_KEY", "")
    model = first_model(upstream, key)
    written = _REAL.format(url=msgspec.json.encode(upstream).decode())
    if key:
        written += 'api_key = "env:UPSTREAM_API_KEY"\n'
    return written + _REST.format(model=msgspec.json.encode(model).decode())


def _gatehouse(*arguments: str) -> bytes:
    done = subprocess.run([sys.executable, "-m", "gateway.cli", *arguments], capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise SettingsError(done.stderr.decode(errors="replace").strip())
    return done.stdout


@contextmanager
def _serving(config: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    command = [sys.executable, "-m", "gateway.cli", "serve", "-c", str(config), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)  # noqa: S603
    assert process.stderr is not None  # noqa: S101  # asked for above
    try:
        address = _ready(process, process.stderr)
        yield process, address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _ready(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Wait for the line `ready`, then keep reading so that the gateway never waits for a full pipe."""
    timer = threading.Timer(START_DEADLINE, process.kill)
    timer.start()
    said = b""
    try:
        for line in log:
            try:
                event = msgspec.json.decode(line, type=_Event)
            except msgspec.MsgspecError:
                said = line
                continue
            if event.event == "ready":
                threading.Thread(target=_drop, args=(log,), daemon=True).start()
                return event.address
    finally:
        timer.cancel()
    raise SettingsError(said.decode(errors="replace").strip() or "The gateway did not become ready.")


def _drop(log: IO[bytes]) -> None:
    for _ in log:
        pass


def _say_how_to_go_on(address: str, key: str) -> None:
    typer.echo(
        f"\nYour API key: {key}\n\nTry it:\n\n"
        f"  curl {address}/v1/chat/completions -H 'authorization: Bearer {key}' \\\n"
        "    -H 'content-type: application/json' \\\n"
        """    -d '{"model":"demo","messages":[{"role":"user","content":"Hello"}]}'"""
    )


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        typer.echo("\nIt stays up; Ctrl-C ends it.")
        process.wait()
    except KeyboardInterrupt:
        typer.echo("\nEnding.")
