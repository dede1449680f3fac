"""The life of `gatehouse serve`, seen from outside: ready, draining, ended, and what it says when it cannot start."""

from __future__ import annotations

import http.client
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.door import Door, ended_well, only_sentence, opened, run
from tests.e2e.process import environment, json_line
from tests.e2e.settings import MODEL, route, section
from tests.e2e.wire import ask, read

MARGIN = 5.0
"""Seconds that a busy machine may add to what is promised."""

SLOW = "#fake chunks=30 gap=0.1\nThree seconds of words."
BRIEF = "#fake chunks=10 gap=0.1\nA second of words."
SILENT = "#fake fault=hang-mid-answer after=3\nA few words, then nothing."


def settings(*more: str, **server: object) -> str:
    """Return settings with the fake upstream in process."""
    upstream = section("upstreams.fake", kind="fake", idle_timeout="60s")
    return "\n".join([section("server", port=0, **server), upstream, route(MODEL, "fake", model="fake"), "[tenants.acme]", *more])


@contextmanager
def streaming(door: Door, text: str) -> Iterator[http.client.HTTPResponse]:
    """Open a stream and read its first event, so that it certainly runs."""
    with closing(door.send(MODEL, text, stream=True, max_tokens=100)) as connection, connection.getresponse() as response:
        assert response.status == 200
        assert response.readline().startswith(b"data: ")
        yield response


def draining(door: Door) -> None:
    """Send the first signal and wait until the gateway says that it drains."""
    door.process.signal(signal.SIGTERM)
    door.process.wait_for(lambda line: json_line(line).get("event") == "draining", what="that it drains", within=MARGIN)


def refuses_connections(door: Door, *, within: float) -> bool:
    """Wait until the listener is closed."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            ask(door.host, door.port, "/healthz")
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            # The listener was closed between the kernel's welcome and ours.
            continue
    return False


def test_the_ready_line_names_the_address_that_answers(tmp_path: Path) -> None:
    with opened(tmp_path, settings(drain_grace="100ms")) as door:
        assert ask(door.host, door.port, "/healthz").status == 200
        assert door.chat(MODEL, "Hello.").status == 200
        ended_well(door.process, within=MARGIN)
    ready = [line for line in door.process.lines if json_line(line).get("event") == "ready"]
    assert len(ready) == 1


def test_every_line_of_the_log_is_json_and_holds_no_content(tmp_path: Path) -> None:
    with opened(tmp_path, settings(drain_grace="100ms")) as door:
        assert door.chat(MODEL, "The word is xyzzy-content.").status == 200
        assert door.chat("no-such-model", "The word is xyzzy-content.").status == 404
        assert ask(door.host, door.port, "/v1/models", headers={"authorization": "Bearer xyzzy-content"}).status == 401
        ended_well(door.process, within=MARGIN)
    assert all(json_line(line) for line in door.process.lines), door.process.output
    assert "xyzzy-content" not in door.process.output
    assert door.key not in door.process.output


def test_draining_refuses_new_work_finishes_what_runs_and_exits_with_0(tmp_path: Path) -> None:
    with opened(tmp_path, settings(drain_grace="1s", drain_timeout="20s")) as door, streaming(door, SLOW) as running:
        draining(door)
        refused = door.chat(MODEL, "Hello.")
        assert (refused.status, refused.code) == (503, "draining")
        assert int(refused.headers["retry-after"]) >= 1
        assert ask(door.host, door.port, "/readyz").status == 503
        assert ask(door.host, door.port, "/healthz").status == 200
        assert refuses_connections(door, within=1 + MARGIN)
        events = read(running).events
        assert events[-1] == "[DONE]"
        assert "w30" in events[-3] + events[-2]
        assert door.process.wait(within=MARGIN) == 0


def test_work_that_outlasts_the_drain_is_told_so_and_the_exit_is_in_time(tmp_path: Path) -> None:
    with opened(tmp_path, settings(drain_grace="100ms", drain_timeout="2s")) as door, streaming(door, SILENT) as running:
        began = time.monotonic()
        draining(door)
        events = read(running).events
        assert '"code":"draining"' in events[-1]
        assert "[DONE]" not in events
        assert door.process.wait(within=2 + MARGIN) == 0
        assert time.monotonic() - began < 2 + MARGIN


def test_idle_connections_do_not_hold_the_drain(tmp_path: Path) -> None:
    with (
        opened(tmp_path, settings(drain_grace="100ms", drain_timeout="60s")) as door,
        closing(http.client.HTTPConnection(door.host, door.port, timeout=5)) as idle,
    ):
        idle.request("GET", "/healthz")
        with idle.getresponse() as response:
            assert read(response).status == 200
        ended_well(door.process, within=MARGIN)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(tmp_path: Path, second: signal.Signals) -> None:
    with opened(tmp_path, settings(drain_grace="60s", drain_timeout="120s")) as door, streaming(door, SILENT) as running:
        draining(door)
        door.process.signal(second)
        assert door.process.wait(within=MARGIN) == 1
        assert "[DONE]" not in read(running).events


def test_ctrl_c_drains_too(tmp_path: Path) -> None:
    with opened(tmp_path, settings(drain_grace="100ms")) as door, streaming(door, BRIEF) as running:
        door.process.signal(signal.SIGINT)
        assert read(running).events[-1] == "[DONE]"
        assert door.process.wait(within=MARGIN) == 0


def test_workers_share_one_port_and_drain_together(tmp_path: Path, redis_url: str) -> None:
    text = settings(section("store", redis=redis_url), workers=2, drain_grace="500ms", drain_timeout="20s")
    with opened(tmp_path, text) as door, streaming(door, BRIEF) as running:
        assert {door.chat(MODEL, "Hello.").status for _ in range(8)} == {200}
        door.process.signal(signal.SIGTERM)
        assert read(running).events[-1] == "[DONE]"
        assert door.process.wait(within=MARGIN) == 0
    assert len([line for line in door.process.lines if json_line(line).get("event") == "ready"]) == 1


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(settings())
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("serve", "-c", str(file), "--port", str(port), env=environment(), cwd=tmp_path)
    sentence = only_sentence(done.stderr)
    assert done.returncode == 2
    assert str(port) in sentence
    assert "in use" in sentence


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (section("upstreams.b", kind="fake", max_in_fligth=3), ["upstreams.b.max_in_fligth", "max_in_flight"]),
        (section("upstreams.b", kind="fakes"), ["upstreams.b.kind", "fake"]),
        (section("upstreams.b", kind="fake", idle_timeout=30), ["upstreams.b.idle_timeout", '"30s"']),
        (route("b", "fakee", model="m"), ["routes.b.upstreams[0].name", '"fake"']),
        (section("tenant.b"), ["tenant", "tenants"]),
        ("[upstreams.b\nkind = 3", ["gateway.toml"]),
    ],
    ids=["unknown key", "unknown kind", "no unit", "unknown upstream", "unknown section", "no TOML"],
)
def test_settings_that_are_wrong_are_one_sentence(tmp_path: Path, broken: str, named: list[str]) -> None:
    (tmp_path / "gateway.toml").write_text(settings(broken))
    done = run("serve", env=environment(), cwd=tmp_path)
    sentence = only_sentence(done.stderr)
    assert done.returncode == 2
    assert "gateway.toml" in sentence
    assert [name for name in named if name not in sentence] == []


def test_a_secret_that_is_not_set_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(settings(section("upstreams.b", kind="fake", api_key="env:NO_SUCH_VARIABLE")))
    done = run("serve", env=environment(), cwd=tmp_path)
    sentence = only_sentence(done.stderr)
    assert done.returncode == 2
    assert "upstreams.b.api_key" in sentence
    assert "NO_SUCH_VARIABLE" in sentence


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    done = run("serve", "-c", "elsewhere.toml", env=environment(), cwd=tmp_path)
    assert done.returncode == 2
    assert "elsewhere.toml" in only_sentence(done.stderr)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_check_shows_the_settings_without_their_secrets(tmp_path: Path, form: tuple[str, ...]) -> None:
    secret = "a-secret-of-the-upstream"
    (tmp_path / "key.txt").write_text("another-secret-of-the-upstream\n")
    (tmp_path / "key.txt").chmod(0o600)
    more = [
        section("upstreams.b", kind="fake", api_key="env:UPSTREAM_SECRET"),
        section("upstreams.c", kind="fake", api_key="file:key.txt"),
    ]
    (tmp_path / "gateway.toml").write_text(settings(*more))
    done = run("check", *form, env=environment(UPSTREAM_SECRET=secret), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "upstreams" in done.stdout
    assert MODEL in done.stdout
    assert "secret-of-the-upstream" not in done.stdout + done.stderr


def test_check_says_which_upstream_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(settings(section("upstreams.b", kind="openai", base_url="http://127.0.0.1:1/v1")))
    done = run("check", env=environment(), cwd=tmp_path)
    assert done.returncode == 1
    assert any("upstreams.b" in line and "FAIL" in line for line in done.stdout.splitlines()), done.stdout


def test_serving_loads_neither_litellm_nor_guardrails(tmp_path: Path) -> None:
    """Python tells of every module that is imported, also of those that are when the first request comes."""
    with opened(tmp_path, settings(drain_grace="100ms"), flags=["-X", "importtime"]) as door:
        assert door.chat(MODEL, "Hello.").status == 200
        ended_well(door.process, within=MARGIN)
    imported = {line.rpartition("|")[2].strip() for line in door.process.lines if line.startswith("import time:")}
    packages = {name.partition(".")[0] for name in imported}
    assert {"uvicorn", "msgspec", "gateway"} <= packages
    assert packages & {"litellm", "guardrails", "openai", "torch", "transformers", "pandas", "numpy"} == set()
