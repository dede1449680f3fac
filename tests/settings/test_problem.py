from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.settings.keys import Key
from gateway.settings.problem import Problem, from_pydantic, unknown
from gateway.settings.tree import Settings
from gateway.settings.values import FROM_FILE

SENTINEL = "hunter2-sentinel"


def sentences(data: dict[str, object]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(data, context={FROM_FILE: True})
    return [problem.sentence("g.toml", {}) for problem in from_pydantic(caught.value.errors(include_url=False))]


def upstream(**values: object) -> dict[str, object]:
    return {"upstreams": {"a": {"kind": "fake", **values}}}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"server": {"prot": 1}}, 'g.toml: server.prot is not a setting: did you mean "port"?'),
        ({"sever": {}}, 'g.toml: sever is not a setting: did you mean "server"?'),
        ({"server": 5}, "g.toml: server must be a table"),
        ({"routes": []}, "g.toml: routes must be a table"),
        ({"routes": {"c": {}}}, "g.toml: routes.c.upstreams is missing: add it"),
        ({"routes": {"c": {"upstreams": []}}}, "g.toml: routes.c.upstreams must have at least 1 item"),
        ({"server": {"port": "1"}}, "g.toml: server.port must be an integer"),
        ({"server": {"port": 99999}}, "g.toml: server.port must be less than or equal to 65535"),
        ({"server": {"host": 5}}, "g.toml: server.host must be a string"),
        ({"server": {"allowed_hosts": "a"}}, "g.toml: server.allowed_hosts must be a list"),
        ({"server": {"allowed_hosts": [5]}}, "g.toml: server.allowed_hosts[0] must be a string"),
        ({"store": {"path": 5}}, "g.toml: store.path must be a path"),
        (upstream(kind="vlm"), "g.toml: upstreams.a.kind must be 'vllm', 'openai' or 'fake'"),
        (upstream(connect_timeout="2"), 'must be a string with a number and one of ms, s, m, h, d, such as "30s"'),
        ({"tenants": {"a b": {}}}, 'g.toml: tenants."a b" must be a name'),
    ],
)
def test_a_problem_is_one_sentence_with_file_and_key(data: dict[str, object], sentence: str) -> None:
    [found] = sentences(data)
    assert sentence in found
    assert "\n" not in found


def test_a_list_is_not_called_too_short_because_its_item_is_wrong() -> None:
    found = sentences({"routes": {"c": {"upstreams": [{"name": "a", "model": "m", "weight": "1"}]}}})
    assert found == ["g.toml: routes.c.upstreams[0].weight must be an integer"]


@pytest.mark.parametrize(
    "data",
    [
        upstream(api_key=SENTINEL),
        upstream(base_url=f"http://u:{SENTINEL}@h"),
        upstream(kind=SENTINEL),
        upstream(max_in_flight=SENTINEL),
        upstream(connect_timeout=SENTINEL),
        {"store": {"redis": SENTINEL, "database": SENTINEL, "path": {"x": SENTINEL}}},
        {"server": {"allowed_hosts": SENTINEL, "port": [SENTINEL]}},
        {"server": SENTINEL},
        {"routes": {"c": {"upstreams": [SENTINEL]}}},
    ],
)
def test_no_value_is_ever_repeated(data: dict[str, object]) -> None:
    assert SENTINEL not in " ".join(sentences(data))


def test_a_value_from_the_environment_is_blamed_on_its_variable() -> None:
    problem = Problem(("server", "allowed_hosts", 0), "must be a string")
    origins: dict[Key, str] = {("server", "allowed_hosts"): "GATEHOUSE_SERVER__ALLOWED_HOSTS"}
    sentence = problem.sentence("g.toml", origins)
    assert sentence == "environment variable GATEHOUSE_SERVER__ALLOWED_HOSTS: server.allowed_hosts[0] must be a string"
    assert Problem(("server", "port"), "x").sentence("g.toml", origins) == "g.toml: server.port x"


def test_a_problem_of_no_key_names_the_place_only() -> None:
    assert Problem((), "is broken").sentence("g.toml", {}) == "g.toml: is broken"


def test_an_unknown_key_offers_what_is_known() -> None:
    assert unknown(("x", "prot"), ["port"]).text == 'is not a setting: did you mean "port"?'
