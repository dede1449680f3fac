from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.settings.secret import Secret, masked, resolve
from gateway.settings.tree import Route, RouteUpstream, Settings, Store, UpstreamServer

SENTINEL = "hunter2-sentinel"


def kept(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def refusal(reference: str, folder: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        resolve(reference, folder, environ or {}, key="upstreams.a.api_key")
    sentence = str(caught.value)
    assert sentence.startswith("upstreams.a.api_key: ")
    assert SENTINEL not in sentence
    return sentence


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o660, 0o644, 0o777])
def test_a_file_that_others_may_touch_is_not_read(tmp_path: Path, mode: int) -> None:
    path = kept(tmp_path, SENTINEL.encode(), mode)
    assert f"chmod 600 {path}" in refusal("file:key", tmp_path)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_read_without_the_newline_at_its_end(tmp_path: Path, mode: int) -> None:
    kept(tmp_path, b"abc\n", mode)
    assert resolve("file:key", tmp_path, {}).reveal() == "abc"


def test_only_one_newline_is_taken_away(tmp_path: Path) -> None:
    kept(tmp_path, b"abc\r\n")
    assert resolve("file:key", tmp_path, {}).reveal() == "abc"
    kept(tmp_path, b"abc\n\n")
    assert "one line of printable text" in refusal("file:key", tmp_path)


def test_an_absolute_path_does_not_start_at_the_folder(tmp_path: Path) -> None:
    path = kept(tmp_path, b"abc")
    assert resolve(f"file:{path}", Path("/nowhere"), {}).reveal() == "abc"


def test_a_missing_file_or_variable_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'key'} cannot be read (No such file" in refusal("file:key", tmp_path)
    assert "the environment variable NO_KEY is not set" in refusal("env:NO_KEY", tmp_path)


@pytest.mark.parametrize(("content", "why"), [(b"", "is empty"), (b"\n", "is empty"), (b"\xff", "UTF-8"), (b"a\0b", "printable")])
def test_what_cannot_be_a_secret_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    kept(tmp_path, content)
    assert why in refusal("file:key", tmp_path)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    kept(tmp_path, b"a" * 65_537)
    assert "longer than 65536 bytes" in refusal("file:key", tmp_path)
    assert "is not a file" in refusal("file:/dev/null", tmp_path)


@pytest.mark.parametrize(("text", "why"), [("", "is empty"), (f"{SENTINEL}\r\nx: y", "printable")])
def test_a_variable_that_is_empty_or_would_break_a_header_is_refused(tmp_path: Path, text: str, why: str) -> None:
    assert why in refusal("env:A_KEY", tmp_path, {"A_KEY": text})


@pytest.mark.parametrize("reference", [SENTINEL, "env:", "file:", ""])
def test_a_reference_that_is_none_is_refused_and_not_repeated(tmp_path: Path, reference: str) -> None:
    assert '"env:NAME" or "file:path"' in refusal(reference, tmp_path)


def test_a_secret_shows_only_when_it_is_revealed() -> None:
    secret = resolve("env:A_KEY", Path(), {"A_KEY": SENTINEL})
    assert secret.reveal() == SENTINEL
    assert SENTINEL not in f"{secret} {secret!r} {[secret]}"
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        f"{secret:>30}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_is_no_text_that_could_be_joined_or_compared() -> None:
    with pytest.raises(TypeError):
        "".join([Secret(SENTINEL)])  # type: ignore[list-item]
    assert Secret("a") != Secret("a")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://:pw@h/0", "redis://:***@h/0"),
        ("redis://u:p@ss:w@h:1/0", "redis://u:***@h:1/0"),
        ("redis://u:@h", "redis://u:***@h"),
        ("unix:///run/redis.sock?db=1&password=pw", "unix:///run/redis.sock?db=1&password=***"),
        ("redis://h/0?sslPassword=pw&x=1#f", "redis://h/0?sslPassword=***&x=1#f"),
        ("redis://[pw", "redis://***"),
    ],
)
def test_passwords_in_addresses_are_masked(url: str, shown: str) -> None:
    assert masked(Settings(store=Store(redis=url)))["store"]["redis"] == shown


def test_the_configuration_is_shown_as_the_file_writes_it() -> None:
    upstream = UpstreamServer(kind="vllm", base_url="http://h/v1", api_key="env:A_KEY", connect_timeout=0.5)
    route = Route(upstreams=(RouteUpstream(name="a", model="m"),))
    shown = masked(Settings(upstreams={"a": upstream}, routes={"chat": route}, store=Store(path=Path("/srv"))))
    assert shown["upstreams"]["a"]["api_key"] == "env:A_KEY"
    assert shown["upstreams"]["a"]["connect_timeout"] == "500ms"
    assert shown["routes"]["chat"]["upstreams"] == [{"name": "a", "model": "m", "weight": 1}]
    assert shown["store"]["path"] == "/srv"
    assert Settings.model_validate(shown).upstreams == {"a": upstream}
