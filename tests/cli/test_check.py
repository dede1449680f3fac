"""`gatehouse check`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.upstream.fake.behaviour import Behaviour, Character
from gateway.upstream.fake.server import serving

TENANT = "[tenants.acme]\n"
ROUTE = '[routes.chat]\nupstreams = [{{ name = "{name}", model = "m" }}]\n'


def checked(folder: Path, text: str, *words: str) -> Result:
    file = folder / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return CliRunner().invoke(app, ["check", "-c", str(file), *words])


@contextmanager
def upstream(key: str = "") -> Iterator[str]:
    """Run the fake upstream in a thread of its own."""
    up = threading.Event()
    running: list[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        done = asyncio.Event()
        async with serving(Behaviour(Character(api_key=key))) as url:
            running.append((url, asyncio.get_running_loop(), done))
            up.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert up.wait(10)
    url, loop, done = running[0]
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


def openai(url: str, key: str = "") -> str:
    return (
        f'[upstreams.up]\nkind = "openai"\nbase_url = "{url}"\n'
        + (f'api_key = "{key}"\n' if key else "")
        + ROUTE.format(name="up")
    )


def test_what_works_is_shown_with_every_setting(tmp_path: Path) -> None:
    with upstream() as url:
        result = checked(tmp_path, openai(url) + TENANT)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "server.port = 8080" in lines
    assert f'upstreams.up.base_url = "{url}"' in lines
    assert {"ok    upstreams.up", "ok    store"} <= set(lines)


def test_secrets_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "hunter2")
    redis = '[store]\nredis = "redis://user:hunter2@127.0.0.1:1/0"\n'
    with upstream("hunter2") as url:
        for words in ([], ["--json"]):
            result = checked(tmp_path, redis + openai(url, "env:UP_KEY") + TENANT, *words)
            assert result.exit_code == 1
            assert "env:UP_KEY" in result.output
            assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[sevrer]\nport = 1\n", "sevrer"),
        ("[server]\nport = 99999\n", "server.port"),
        ('[routes.chat]\nupstreams = [{ name = "nobody", model = "m" }]\n', "routes.chat.upstreams[0].name"),
        ("port = ", "TOML"),
    ],
)
def test_a_wrong_file_is_said_with_its_key_and_exit_code_2(tmp_path: Path, text: str, says: str) -> None:
    result = checked(tmp_path, text)
    assert result.exit_code == 2
    assert says in result.output
    assert "gateway.toml" in result.output
    report = msgspec.json.decode(checked(tmp_path, text, "--json").output)
    assert (report["ok"], len(report["problems"]) >= 1) == (False, True)


@pytest.mark.parametrize(
    ("key", "says"), [("", "upstreams.up: The model's server failed."), ("env:MISSING_KEY", "MISSING_KEY is not set")]
)
def test_an_upstream_that_refuses_us_or_a_key_that_is_missing_is_exit_code_1(tmp_path: Path, key: str, says: str) -> None:
    with upstream("needs-a-key") as url:
        result = checked(tmp_path, openai(url, key) + TENANT)
    assert result.exit_code == 1
    assert says in result.output


def test_an_upstream_that_is_not_there_and_a_redis_that_is_not_there_are_told_of(tmp_path: Path) -> None:
    text = '[store]\nredis = "redis://127.0.0.1:1/0"\n' + openai("http://127.0.0.1:1/v1") + TENANT
    result = checked(tmp_path, text, "--json")
    report: dict[str, Any] = msgspec.json.decode(result.output)
    assert (result.exit_code, report["ok"]) == (1, False)
    assert [problem.partition(":")[0] for problem in report["problems"]] == ["upstreams.up", "store.redis"]
    assert report["settings"]["server"]["port"] == 8080


def test_a_store_that_cannot_be_opened_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file, not a folder")
    result = checked(tmp_path, '[upstreams.up]\nkind = "fake"\n' + ROUTE.format(name="up") + TENANT)
    assert result.exit_code == 1
    assert "FAIL  store" in result.output


def test_prompts_that_cannot_be_used_are_told_with_file_and_line(tmp_path: Path) -> None:
    fake = '[upstreams.up]\nkind = "fake"\n' + ROUTE.format(name="up") + TENANT
    draft = tmp_path / "prompts" / "support" / "triage" / "draft.prompty"
    draft.parent.mkdir(parents=True)
    draft.write_text("---\nmodel: {id: chat}\n---\nuser:\nHello {{nobody}}\n")
    result = checked(tmp_path, fake)
    assert result.exit_code == 1
    assert "FAIL  prompts: support/triage/draft.prompty:5: " in result.stdout
    draft.write_text("---\nmodel: {id: chat}\n---\nuser:\nHello\n")
    result = checked(tmp_path, fake)
    assert result.exit_code == 0
    assert "ok    prompts" in result.stdout


def test_a_route_whose_tokens_are_bounded_is_a_note_and_no_failure(tmp_path: Path) -> None:
    with upstream() as url:
        result = checked(tmp_path, openai(url) + TENANT)
        report = msgspec.json.decode(checked(tmp_path, openai(url) + TENANT, "--json").stdout)
    assert result.exit_code == 0
    assert "note  tokenizers: routes.chat: tokens are bounded, not counted" in result.stdout
    assert (report["ok"], len(report["notes"])) == (True, 1)


def test_a_tokenizer_that_is_none_is_a_failure(tmp_path: Path) -> None:
    text = '[upstreams.up]\nkind = "fake"\n' + ROUTE.format(name="up") + 'tokenizer = "nothing"\n' + TENANT
    result = checked(tmp_path, text)
    assert result.exit_code == 1
    assert "routes.chat.tokenizer" in result.stdout
