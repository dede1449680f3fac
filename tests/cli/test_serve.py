"""`gatehouse serve` as processes: what it says, how it ends, and with which exit code."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.api.server import bind
from gateway.cli.serve import with_options
from gateway.settings.tree import Server, Settings
from tests.e2e.process import Process, environment, json_line, started

ROOT = Path(__file__).resolve().parents[2]
WITHIN = 30.0
"""Seconds that a start may take on a busy machine."""
GRACE = 0.3
TIMEOUT = 3.0


@contextmanager
def serving(folder: Path, *, workers: int = 1, port: int = 0, how: str = "good") -> Iterator[Process]:
    config = folder / "gateway.toml"
    config.write_text(
        f'[server]\nport = {port}\nworkers = {workers}\ndrain_grace = "{GRACE}s"\ndrain_timeout = "{TIMEOUT}s"\n'
        + ('[store]\nredis = "redis://127.0.0.1:1/0"\n' if workers > 1 else "")
    )
    env = environment(SERVED=how, PYTHONPATH=str(ROOT))
    with started([sys.executable, "-m", "tests.cli.served", str(config)], env=env, cwd=folder) as process:
        yield process


def address(process: Process) -> tuple[str, int]:
    line = json_line(process.wait_for(lambda line: json_line(line).get("event") == "ready", what="a ready line", within=WITHIN))
    host, _, port = line["address"].removeprefix("http://").partition(":")
    return host, int(port)


def ask(where: tuple[str, int], path: str) -> socket.socket:
    connection = socket.create_connection(where, timeout=WITHIN)
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
    return connection


def answer(connection: socket.socket) -> tuple[int, bytes]:
    with closing(connection):
        received = b""
        while part := connection.recv(65_536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


def pid(where: tuple[str, int]) -> int:
    return int(answer(ask(where, "/pid"))[1])


def sentence(process: Process, code: int) -> str:
    """Return what a failing start wrote, which must be one line that is no log line and no traceback."""
    assert process.wait(within=WITHIN) == code
    said = [line for line in process.lines if not json_line(line)]
    assert len(said) == 1, process.output
    return said[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_ready_then_drains_at_a_signal_and_exits_with_0(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as process:
        where = address(process)
        held = ask(where, "/flood")
        assert held.recv(10)
        process.signal(number)
        process.wait_for(lambda line: json_line(line).get("event") == "draining", what="that it drains", within=WITHIN)
        assert answer(ask(where, "/echo"))[0] == 503
        held.close()
        assert process.wait(within=WITHIN) == 0
        assert all(json_line(line) for line in process.lines), process.output
        assert [json_line(line)["event"] for line in process.lines] == ["ready", "draining"]


def test_work_that_does_not_end_is_cut_off_before_the_timeout(tmp_path: Path) -> None:
    with serving(tmp_path) as process, closing(ask(address(process), "/flood")) as held:
        assert held.recv(10)
        begun = time.monotonic()
        process.signal(signal.SIGTERM)
        assert process.wait(within=WITHIN) == 0
        assert time.monotonic() - begun > TIMEOUT / 2
        assert "Traceback" not in process.output


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        with closing(ask(address(process), "/flood")) as held:
            assert held.recv(10)
            process.signal(signal.SIGTERM)
            process.wait_for(lambda line: json_line(line).get("event") == "draining", what="that it drains", within=WITHIN)
            process.signal(signal.SIGTERM)
            begun = time.monotonic()
            assert process.wait(within=WITHIN) == 1
            assert time.monotonic() - begun < TIMEOUT / 2
        assert "Traceback" not in process.output


def test_a_port_in_use_is_exit_code_2_with_one_sentence(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path, port=port) as process:
            assert f"server.port = {port} is in use" in sentence(process, 2)


@pytest.mark.parametrize("workers", [1, 2])
def test_settings_that_the_application_cannot_use_are_exit_code_2_with_one_sentence(tmp_path: Path, workers: int) -> None:
    with serving(tmp_path, workers=workers, how="refuses") as process:
        assert sentence(process, 2) == "store.path cannot be written: choose another folder."


@pytest.mark.parametrize("workers", [1, 2])
def test_an_application_that_does_not_start_is_exit_code_1_with_one_sentence(tmp_path: Path, workers: int) -> None:
    with serving(tmp_path, workers=workers, how="fails") as process:
        assert "could not start" in sentence(process, 1)
        assert "no database" not in process.output
        assert "builtins.ValueError" in process.output


def test_workers_that_die_before_they_are_ready_end_the_command(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2, how="dies") as process:
        assert "before it was ready" in sentence(process, 1)


def test_workers_are_ready_together_drain_together_and_exit_with_0(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as process:
        where = address(process)
        pids = {pid(where) for _ in range(40)}
        assert process.pid not in pids
        process.signal(signal.SIGTERM)
        assert process.wait(within=WITHIN) == 0
        events = [json_line(line).get("event") for line in process.lines]
        assert events == ["ready", "draining", "draining"], process.output
        for each in pids:
            assert not alive(each)


def test_a_signal_to_the_whole_group_is_one_signal(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as process, closing(ask(address(process), "/flood")) as held:
        assert held.recv(10)
        begun = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(within=WITHIN) == 0
        assert time.monotonic() - begun > TIMEOUT / 2
        assert "Traceback" not in process.output


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as process:
        where = address(process)
        victim = pid(where)
        os.kill(victim, signal.SIGKILL)
        process.wait_for(lambda line: json_line(line).get("event") == "worker_ended", what="that a worker ended", within=WITHIN)
        assert victim not in {pid(where) for _ in range(20)}
        process.signal(signal.SIGTERM)
        assert process.wait(within=WITHIN) == 0


def gatehouse(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "gateway.cli", "serve", "-c", str(folder / "gateway.toml"), *words]


def test_the_command_serves_the_gateway_itself(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        f'[server]\nport = 1\ndrain_grace = "{GRACE}s"\n[upstreams.u]\nkind = "fake"\n'
        '[routes.r]\nupstreams = [{ name = "u", model = "m" }]\n[tenants.t]\n'
    )
    with started(gatehouse(tmp_path, "--port", "0"), env=environment(), cwd=tmp_path) as process:
        connection = socket.create_connection(address(process), timeout=WITHIN)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        assert answer(connection)[0] == 200
        process.signal(signal.SIGTERM)
        assert process.wait(within=WITHIN) == 0
        events = [json_line(line).get("event") for line in process.lines]
        assert events == ["settings_loaded", "prompts_loaded", "ready", "draining", "stopped"], process.output
        assert json_line(process.lines[0])["routes"] == 1


def test_several_workers_by_option_need_redis(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[server]\nport = 0\n")
    with started(gatehouse(tmp_path, "--workers", "2"), env=environment(), cwd=tmp_path) as process:
        assert sentence(process, 2).startswith("server.workers = 2 needs store.redis")


def test_a_missing_configuration_is_exit_code_2_with_one_sentence(tmp_path: Path) -> None:
    with started(gatehouse(tmp_path), env=environment(), cwd=tmp_path) as process:
        assert "gateway.toml" in sentence(process, 2)


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_options_are_laid_over_the_settings() -> None:
    settings = Settings(server=Server(port=1, host="127.0.0.1"))
    laid = with_options(settings, port=0, host=None, workers=3).server
    assert (laid.port, laid.host, laid.workers) == (0, "127.0.0.1", 3)
