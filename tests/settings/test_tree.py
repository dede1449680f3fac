from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

from gateway.settings.tree import App, Audit, Route, RouteUpstream, Server, Settings, Store, Tenant, UpstreamServer

SECTIONS: list[BaseModel] = [
    Server(),
    Store(),
    Audit(),
    App(),
    Tenant(),
    UpstreamServer(kind="fake"),
    RouteUpstream(name="a", model="m"),
    Route(upstreams=(RouteUpstream(name="a", model="m"),)),
    Settings(),
]


def defaults() -> Iterator[tuple[type[BaseModel], str, object]]:
    for section in SECTIONS:
        for name in type(section).model_fields:
            yield type(section), name, getattr(section, name)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: type(section).__name__)
def test_defaults_are_values_that_could_be_set(section: BaseModel) -> None:
    given = {name: getattr(section, name) for name in type(section).model_fields}
    assert type(section).model_validate(given) == section


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: type(section).__name__)
def test_settings_do_not_change_once_made(section: BaseModel) -> None:
    name = next(iter(type(section).model_fields))
    with pytest.raises(ValidationError):
        setattr(section, name, getattr(section, name))


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: type(section).__name__)
def test_every_section_says_what_it_is(section: BaseModel) -> None:
    assert type(section).__doc__


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(ValidationError, match="prot"):
        Server.model_validate({"prot": 1})


@pytest.mark.parametrize(
    "values",
    [{"port": "8080"}, {"port": 80.0}, {"port": True}, {"port": -1}, {"port": 65536}, {"workers": 0}, {"allowed_hosts": "a"}],
)
def test_values_are_not_bent_into_their_type(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Server.model_validate(values)


def test_a_route_has_an_upstream_and_weights_are_not_negative() -> None:
    with pytest.raises(ValidationError):
        Route(upstreams=())
    with pytest.raises(ValidationError):
        RouteUpstream(name="a", model="m", weight=-1)
