from __future__ import annotations

from typing import Any

import pytest

from gateway.settings.overlay import environment_name, overlay


def file() -> dict[str, Any]:
    return {
        "upstreams": {"vllm-a": {"kind": "vllm"}, "meta/llama.3": {"kind": "vllm"}},
        "routes": {"chat": {}, "chat__b": {}},
    }


def laid(variable: str, text: str) -> dict[str, Any]:
    data = file()
    made = overlay(data, {variable: text})
    assert made.problems == []
    assert list(made.origins.values()) == [variable]
    return data


def problem(variable: str, text: str = "1", data: dict[str, Any] | None = None) -> str:
    given = file() if data is None else data
    made = overlay(given, {variable: text})
    assert made.origins == {}
    [found] = made.problems
    assert found.startswith(f"environment variable {variable}: ")
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [("9000", 9000), ("9_000", 9000), ("true", "true"), ("x", "x"), ("1\nhost = 2", "1\nhost = 2"), ("", ""), ("1.5", "1.5")],
)
def test_an_integer_is_read_as_toml_and_what_is_none_is_left_for_the_check_of_types(text: str, value: object) -> None:
    assert laid("GATEHOUSE_SERVER__PORT", text)["server"]["port"] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("localhost", "localhost"), ('"::1"', "::1"), ("1", "1"), ("true", "true"), ("[1]", "[1]"), ("1979-05-27", "1979-05-27")],
)
def test_a_string_needs_no_quotes_and_may_have_them(text: str, value: str) -> None:
    assert laid("GATEHOUSE_SERVER__HOST", text)["server"]["host"] == value


def test_a_duration_is_a_string() -> None:
    assert laid("GATEHOUSE_SERVER__HEADER_TIMEOUT", "5s")["server"]["header_timeout"] == "5s"


def test_a_list_is_read_as_toml() -> None:
    assert laid("GATEHOUSE_SERVER__ALLOWED_HOSTS", '["a", "b"]')["server"]["allowed_hosts"] == ["a", "b"]
    assert laid("GATEHOUSE_SERVER__ALLOWED_HOSTS", "a")["server"]["allowed_hosts"] == "a"
    assert laid("GATEHOUSE_ROUTES__CHAT__UPSTREAMS", '[{name="a"}]')["routes"]["chat"]["upstreams"] == [{"name": "a"}]


def test_toml_that_nests_without_end_is_text() -> None:
    text = "[" * 100_000
    assert laid("GATEHOUSE_SERVER__ALLOWED_HOSTS", text)["server"]["allowed_hosts"] == text


def test_names_with_other_characters_are_matched_against_the_file() -> None:
    assert laid("GATEHOUSE_UPSTREAMS__VLLM_A__BASE_URL", "http://h")["upstreams"]["vllm-a"]["base_url"] == "http://h"
    assert laid("GATEHOUSE_UPSTREAMS__META_LLAMA_3__MAX_IN_FLIGHT", "3")["upstreams"]["meta/llama.3"]["max_in_flight"] == 3


def test_the_longest_name_wins_where_one_is_the_beginning_of_another() -> None:
    assert laid("GATEHOUSE_ROUTES__CHAT__B__TIMEOUT", "1s")["routes"] == {"chat": {}, "chat__b": {"timeout": "1s"}}


def test_a_section_that_the_file_lacks_is_made() -> None:
    assert laid("GATEHOUSE_STORE__PATH", "elsewhere")["store"] == {"path": "elsewhere"}


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("GATEHOUSE_SERVER_PORT", "did you mean GATEHOUSE_SERVER__PORT?"),
        ("GATEHOUSE_SEVRER__PORT", "did you mean GATEHOUSE_SERVER__PORT?"),
        ("GATEHOUSE_SERVER__PROT", "did you mean GATEHOUSE_SERVER__PORT?"),
        ("GATEHOUSE_UPSTREAMS__VLLM_B__BASE_URL", "did you mean GATEHOUSE_UPSTREAMS__VLLM_A__BASE_URL?"),
        ("GATEHOUSE_TENANTS__ACME__ROUTES", "there is none"),
        ("GATEHOUSE_PORT", "known: AUDIT, PROMPTS, ROUTES, SERVER, STORE, TENANTS, UPSTREAMS"),
        ("GATEHOUSE_SERVER", "name one of its keys"),
        ("GATEHOUSE_ROUTES", "name one of its keys (chat, chat__b)"),
        ("GATEHOUSE_TENANTS", "name one of its keys (none yet)"),
        ("GATEHOUSE_SERVER__PORT__DEEPER", "server.port is a value"),
        ("GATEHOUSE_server__port", "unknown"),
        ("GATEHOUSE_", "names the table"),
    ],
)
def test_a_variable_that_sets_nothing_is_an_error_with_the_nearest_that_would(variable: str, hint: str) -> None:
    assert hint in problem(variable)


def test_a_name_that_could_mean_two_is_not_guessed() -> None:
    found = problem("GATEHOUSE_ROUTES__A_B__TIMEOUT", "1s", {"routes": {"a-b": {}, "a.b": {}}})
    assert 'could mean each of routes.a-b, routes."a.b"' in found


def test_a_value_never_shows_in_an_error() -> None:
    assert "hunter2" not in problem("GATEHOUSE_SERVER__PROT", "hunter2")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("GATEHOUSE_OFFLINE", "1"),
        ("GATEHOUSE_API_KEY", "gth_x"),
        ("GATEHOUSE_SERVICE_HOST", "10.0.0.1"),
        ("GATEHOUSE_SERVICE_PORT", "8080"),
        ("GATEHOUSE_SERVICE_PORT_HTTP", "8080"),
        ("GATEHOUSE_PORT", "tcp://10.0.0.1:8080"),
        ("GATEHOUSE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("GATEHOUSE_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("GATEHOUSE_SERVER_PORT", "tcp://10.0.0.1:8080"),
        ("GATEHOUSE_OPS_SERVICE_HOST", "10.0.0.1"),
        ("OTHER_SERVER__PORT", "1"),
    ],
)
def test_variables_of_others_are_left_alone(variable: str, text: str) -> None:
    data = file()
    made = overlay(data, {variable: text})
    assert (made.origins, made.problems, data) == ({}, [], file())


def test_a_variable_that_the_file_takes_a_secret_from_is_no_setting() -> None:
    data = {"upstreams": {"a": {"api_key": "env:GATEHOUSE_VLLM_KEY"}}, "x": [{"y": "env:GATEHOUSE_LIST"}]}
    assert overlay(data, {"GATEHOUSE_VLLM_KEY": "s", "GATEHOUSE_LIST": "s"}).problems == []


@pytest.mark.parametrize("data", [{"server": 5}, {"server": []}])
def test_a_value_where_a_table_belongs_is_left_for_the_check_of_types(data: dict[str, Any]) -> None:
    made = overlay(data, {"GATEHOUSE_SERVER__PORT": "1"})
    assert (made.origins, made.problems) == ({}, [])


def test_a_table_of_names_that_is_none_holds_no_names() -> None:
    assert "there is none" in problem("GATEHOUSE_ROUTES__CHAT__TIMEOUT", "1s", {"routes": 5})
    made = overlay({"routes": {"chat": 5}}, {"GATEHOUSE_ROUTES__CHAT__TIMEOUT": "1s"})
    assert (made.origins, made.problems) == ({}, [])


def test_the_name_in_a_variable_keeps_letters_and_digits() -> None:
    assert environment_name("meta-llama/Llama-3.1:8b") == "META_LLAMA_LLAMA_3_1_8B"
