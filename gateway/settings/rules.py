"""What must hold between settings, beyond each one by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gateway.settings.keys import Key, advice
from gateway.settings.problem import Problem
from gateway.settings.tree import Settings


def broken(settings: Settings) -> Iterator[Problem]:
    """Yield a problem for every rule that does not hold, in the order of the file's sections."""
    yield from _server(settings)
    yield from _upstreams(settings)
    yield from _routes(settings)
    yield from _tenants(settings)


def _server(settings: Settings) -> Iterator[Problem]:
    if settings.server.workers > 1 and not settings.store.redis:
        yield Problem(("server", "workers"), "above 1 needs store.redis: without it each worker would count for itself")
    if settings.server.drain_grace >= settings.server.drain_timeout:
        yield Problem(("server", "drain_grace"), "must be shorter than server.drain_timeout")


def _upstreams(settings: Settings) -> Iterator[Problem]:
    for name, upstream in settings.upstreams.items():
        if upstream.kind != "fake" and not upstream.base_url:
            yield Problem(("upstreams", name, "base_url"), f'is missing: kind "{upstream.kind}" needs the address of its server')


def _routes(settings: Settings) -> Iterator[Problem]:
    for name, route in settings.routes.items():
        for place, share in enumerate(route.upstreams):
            if share.name not in settings.upstreams:
                key: Key = ("routes", name, "upstreams", place, "name")
                yield Problem(key, f"is no upstream of this file: {advice(share.name, settings.upstreams)}")
        if not any(share.weight for share in route.upstreams):
            yield Problem(("routes", name, "upstreams"), "must have at least one weight above 0")


def _tenants(settings: Settings) -> Iterator[Problem]:
    for name, tenant in settings.tenants.items():
        yield from _allowed(("tenants", name, "routes"), tenant.routes, settings)
        for app_name, app in tenant.apps.items():
            yield from _allowed(("tenants", name, "apps", app_name, "routes"), app.routes, settings)


def _allowed(key: Key, routes: tuple[str, ...], settings: Settings) -> Iterator[Problem]:
    for place, pattern in enumerate(routes):
        if "*" in pattern[:-1]:
            yield Problem((*key, place), 'has a star that is not at its end: write a name, "team-*" or "*"')
        elif pattern != "*" and not _matches(pattern, settings.routes):
            yield Problem((*key, place), f"matches no route of this file: {advice(pattern, settings.routes)}")


def _matches(pattern: str, names: Collection[str]) -> bool:
    """Tell whether a name of a route, or all names with a beginning ("team-*"), stands for any of `names`."""
    if pattern.endswith("*"):
        return any(name.startswith(pattern[:-1]) for name in names)
    return pattern in names
