"""The counter of a route at the command line: as the gateway counts, and by bytes where that cannot be."""

from __future__ import annotations

from types import TracebackType

from gateway.errors import SettingsError
from gateway.settings.tree import Settings
from gateway.tokens.bound import BoundCounter
from gateway.tokens.build import Counters
from gateway.tokens.contract import Counter


class Counting:
    """Opens the counter of a route as an `async with`; `note` then says why it only bounds, nothing where it counts.

    Make it before the event loop runs. A route that is not there is bounded, and so is one that cannot be counted by.
    """

    def __init__(self, settings: Settings, route: str | None) -> None:
        self.note = ""
        self._route = route or ""
        self._counters = self._open(settings) if route in settings.routes else None

    async def __aenter__(self) -> Counter:
        if self._counters is None:
            return BoundCounter()
        self.note = " ".join(await self._counters.load())
        return self._counters.of(self._route)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._counters is not None:
            await self._counters.close()

    def _open(self, settings: Settings) -> Counters | None:
        from gateway.app import open_counters  # noqa: PLC0415  # the whole gateway, which a route that is not there need not load

        route = settings.routes[self._route]
        used = {share.name for share in route.upstreams}
        upstreams = {name: upstream for name, upstream in settings.upstreams.items() if name in used}
        try:
            return open_counters(settings.model_copy(update={"routes": {self._route: route}, "upstreams": upstreams}))
        except SettingsError as error:
            self.note = f"Tokens are bounded, not counted: {error}"
            return None
