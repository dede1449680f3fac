from __future__ import annotations

from gateway.settings.problem import Problem
from gateway.settings.rules import broken
from gateway.settings.tree import App, Route, RouteUpstream, Server, Settings, Store, Tenant, UpstreamServer

FAKE = UpstreamServer(kind="fake")
ROUTE = Route(upstreams=(RouteUpstream(name="a", model="m"),))


def found(settings: Settings) -> list[Problem]:
    return list(broken(settings))


def test_settings_that_fit_each_other_have_no_problem() -> None:
    tenant = Tenant(routes=("chat",), apps={"billing": App(routes=("*",))})
    assert found(Settings(upstreams={"a": FAKE}, routes={"chat": ROUTE}, tenants={"acme": tenant})) == []
    assert found(Settings()) == []


def test_a_route_names_only_upstreams_that_exist() -> None:
    [problem] = found(Settings(upstreams={"aa": FAKE}, routes={"chat": ROUTE}))
    assert problem == Problem(("routes", "chat", "upstreams", 0, "name"), 'is no upstream of this file: did you mean "aa"?')


def test_a_route_needs_a_weight_above_zero() -> None:
    idle = Route(upstreams=(RouteUpstream(name="a", model="m", weight=0),))
    [problem] = found(Settings(upstreams={"a": FAKE}, routes={"chat": idle}))
    assert problem == Problem(("routes", "chat", "upstreams"), "must have at least one weight above 0")


def test_an_upstream_that_is_called_needs_an_address() -> None:
    upstreams = {"v": UpstreamServer(kind="vllm"), "o": UpstreamServer(kind="openai"), "f": FAKE}
    problems = found(Settings(upstreams=upstreams))
    assert [problem.key for problem in problems] == [("upstreams", "v", "base_url"), ("upstreams", "o", "base_url")]
    assert 'kind "vllm" needs' in problems[0].text


def test_a_tenant_and_its_apps_name_only_routes_that_exist() -> None:
    tenant = Tenant(routes=("*", "chta"), apps={"billing": App(routes=("nothing",))})
    problems = found(Settings(upstreams={"a": FAKE}, routes={"chat": ROUTE}, tenants={"acme": tenant}))
    assert [problem.key for problem in problems] == [
        ("tenants", "acme", "routes", 1),
        ("tenants", "acme", "apps", "billing", "routes", 0),
    ]
    assert problems[0].text == 'matches no route of this file: did you mean "chat"?'


def test_a_beginning_stands_for_the_routes_that_have_it() -> None:
    def of(pattern: str) -> list[Problem]:
        return found(Settings(upstreams={"a": FAKE}, routes={"team-x": ROUTE}, tenants={"acme": Tenant(routes=(pattern,))}))

    assert of("team-*") == []
    assert "matches no route" in of("other-*")[0].text
    assert "star that is not at its end" in of("*-x")[0].text
    assert "star that is not at its end" in of("**")[0].text


def test_several_workers_need_what_they_share() -> None:
    [problem] = found(Settings(server=Server(workers=2)))
    assert problem.key == ("server", "workers")
    assert found(Settings(server=Server(workers=2), store=Store(redis="redis://h"))) == []


def test_the_grace_ends_before_the_drain_does() -> None:
    [problem] = found(Settings(server=Server(drain_grace=5.0, drain_timeout=5.0)))
    assert problem.key == ("server", "drain_grace")
