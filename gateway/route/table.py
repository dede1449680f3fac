"""Public model names and the servers behind them. Pure: picking takes no clock and no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import NotFound
from gateway.settings.tree import Route as RouteSettings
from gateway.settings.tree import RouteUpstream


@dataclass(frozen=True, slots=True)
class Leg:
    """One server of a route: the upstream's name and the model's name there."""

    upstream: str
    model: str


class Rotation:
    """Smooth weighted round robin: over any window as long as the sum of weights, each leg is picked as often as it weighs."""

    __slots__ = ("_credits", "_legs", "_total", "_weights")

    def __init__(self, servers: Sequence[RouteUpstream]) -> None:
        self._legs = [Leg(server.name, server.model) for server in servers if server.weight]
        self._weights = [server.weight for server in servers if server.weight]
        self._total = sum(self._weights)
        self._credits = [0] * len(self._legs)

    def pick(self) -> Leg:
        """Return the next leg."""
        if len(self._legs) == 1:
            return self._legs[0]
        best = 0
        for index, weight in enumerate(self._weights):
            self._credits[index] += weight
            if self._credits[index] > self._credits[best]:
                best = index
        self._credits[best] -= self._total
        return self._legs[best]


class Route:
    """A model name that callers ask for."""

    __slots__ = ("_rotation", "name", "settings")

    def __init__(self, name: str, settings: RouteSettings) -> None:
        self.name = name
        self.settings = settings
        self._rotation = Rotation(settings.upstreams)

    def pick(self) -> Leg:
        """Return the leg for one exchange."""
        return self._rotation.pick()


class Routes:
    """All routes by name."""

    def __init__(self, settings: Mapping[str, RouteSettings]) -> None:
        self._routes = {name: Route(name, route) for name, route in settings.items()}

    def names(self) -> list[str]:
        """Return the names of all routes, in the order of gateway.toml."""
        return list(self._routes)

    def resolve(self, model: str) -> Route:
        """Return the route of a public model name; raises `NotFound` (model_not_found)."""
        route = self._routes.get(model)
        if route is None:
            raise NotFound(
                "There is no such model here; GET /v1/models lists those that you may use.", code="model_not_found", param="model"
            )
        return route
