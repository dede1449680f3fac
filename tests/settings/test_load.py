from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SettingsError
from gateway.settings.load import load, problems

GOOD = """
[server]
port = 9000
[store]
path = "var"
[upstreams.a]
kind = "vllm"
base_url = "http://127.0.0.1:8000/v1/"
api_key = "file:keys/a"
[upstreams.b]
kind = "openai"
base_url = "https://example.invalid/v1"
api_key = "env:B_KEY"
[routes.chat]
upstreams = [{ name = "a", model = "tiny" }, { name = "b", model = "tiny", weight = 0 }]
[tenants.acme]
routes = ["chat"]
[tenants.acme.apps.billing]
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "gateway.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(path, environ or {})
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert problems(path, environ or {})[0] == sentence
    return sentence


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    assert refusal(path).startswith(f"{path}: no gateway.toml here: ")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert f"name the file itself, such as {tmp_path / 'gateway.toml'}" in refusal(tmp_path)


def test_a_path_through_a_file_cannot_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, "") / "gateway.toml"
    assert "cannot be read (Not a directory)" in refusal(path)


def test_text_that_is_not_utf8_is_refused_with_its_place(tmp_path: Path) -> None:
    assert "is not UTF-8 at byte 2" in refusal(written(tmp_path, b"# \xff"))


def test_broken_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "at line 2" in refusal(written(tmp_path, "[server]\nport = \n"))


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 50_000])
def test_toml_that_python_cannot_hold_is_refused(tmp_path: Path, value: str) -> None:
    assert "is not TOML" in refusal(written(tmp_path, f"[server]\nport = {value}\n"))


def test_the_first_problem_is_raised_and_all_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path, '[server]\nprot = 1\nport = "x"\n[sever]\n')
    found = problems(path, {"GATEHOUSE_NOTHING": "1"})
    assert found[0].startswith("environment variable GATEHOUSE_NOTHING: names no setting of gateway.toml")
    assert [sentence.removeprefix(f"{path}: ") for sentence in found[1:]] == [
        "server.port must be an integer",
        'server.prot is not a setting: did you mean "port"?',
        'sever is not a setting: did you mean "server"?',
    ]
    assert refusal(path) == found[1]


def test_rules_between_settings_are_checked(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace('name = "a"', 'name = "vllm"'))
    assert refusal(path).startswith(f"{path}: routes.chat.upstreams[0].name is no upstream of this file: known: a, b")


def test_a_rule_broken_by_the_environment_blames_the_variable(tmp_path: Path) -> None:
    sentence = refusal(written(tmp_path, GOOD), {"GATEHOUSE_TENANTS__ACME__ROUTES": '["chta"]'})
    assert sentence.startswith("environment variable GATEHOUSE_TENANTS__ACME__ROUTES: tenants.acme.routes[0] matches no route")


def test_an_unknown_variable_is_an_error_even_where_all_else_is_right(tmp_path: Path) -> None:
    assert "GATEHOUSE_SERVER__PORT" in refusal(written(tmp_path, GOOD), {"GATEHOUSE_SERVER_PORT": "1"})


def test_a_good_file_is_read_with_paths_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path.parent)
    settings = load(Path(tmp_path.name) / "gateway.toml", {})
    assert problems(Path(tmp_path.name) / "gateway.toml", {}) == []
    assert settings.server.port == 9000
    assert settings.server.header_timeout == 10.0
    assert settings.store.path == tmp_path / "var"
    assert settings.upstreams["a"].base_url == "http://127.0.0.1:8000/v1"
    assert settings.upstreams["a"].api_key == f"file:{tmp_path / 'keys' / 'a'}"
    assert settings.upstreams["b"].api_key == "env:B_KEY"
    assert [share.weight for share in settings.routes["chat"].upstreams] == [1, 0]
    assert settings.tenants["acme"].apps["billing"].routes == ("*",)


def test_absolute_paths_stay_and_dots_are_folded(tmp_path: Path) -> None:
    text = GOOD.replace('path = "var"', 'path = "/srv/gate"').replace("file:keys/a", "file:../keys/a")
    settings = load(written(tmp_path, text), {})
    assert settings.store.path == Path("/srv/gate")
    assert settings.upstreams["a"].api_key == f"file:{tmp_path.parent / 'keys' / 'a'}"


def test_a_tokenizer_is_a_file_beside_the_settings_or_a_name(tmp_path: Path) -> None:
    route = '[routes.{name}]\nupstreams = [{{ name = "a", model = "m" }}]\ntokenizer = "{tokenizer}"\n'
    text = '[upstreams.a]\nkind = "fake"\n' + route.format(name="file", tokenizer="models/tokenizer.json")
    settings = load(written(tmp_path, text + route.format(name="word", tokenizer="o200k_base")), {})
    assert settings.routes["file"].tokenizer == str(tmp_path / "models" / "tokenizer.json")
    assert settings.routes["word"].tokenizer == "o200k_base"


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    settings = load(written(tmp_path, b"\xef\xbb\xbf"), {})
    assert settings.server.port == 8080
    assert settings.store.path == tmp_path / "var"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environ = {
        "GATEHOUSE_SERVER__PORT": "9001",
        "GATEHOUSE_SERVER__ALLOWED_HOSTS": '["a"]',
        "GATEHOUSE_UPSTREAMS__A__CONNECT_TIMEOUT": "500ms",
        "GATEHOUSE_STORE__PATH": "other",
    }
    settings = load(written(tmp_path, GOOD), environ)
    assert (settings.server.port, settings.server.allowed_hosts) == (9001, ("a",))
    assert settings.upstreams["a"].connect_timeout == 0.5
    assert settings.store.path == tmp_path / "other"


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_SERVER__PORT", "9002")
    assert load(written(tmp_path, GOOD)).server.port == 9002


@given(st.binary(max_size=200) | st.text(alphabet='[]{}="\n.a1 #', max_size=60).map(str.encode))
def test_whatever_the_file_holds_gives_settings_or_sentences(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = written(tmp_path_factory.mktemp("any"), raw)
    found = problems(path, {})
    assert all(sentence.startswith(f"{path}: ") and "\n" not in sentence for sentence in found)
    if not found:
        load(path, {})


def test_reading_settings_imports_nothing_of_the_network() -> None:
    code = "import sys, gateway.settings.load; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pydantic" in loaded
    assert not {"asyncio", "aiohttp", "sqlalchemy", "fastapi", "ssl"} & set(loaded)
