"""Things to do later on the event loop, by name: one of each, at the earliest time that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """Named timers of the running loop."""

    def __init__(self) -> None:
        self._due: dict[str, asyncio.TimerHandle] = {}

    def set(self, name: str, delay: float, act: Callable[[], None]) -> None:
        """Act after `delay` seconds, or when the timer of that name is due already, where that is earlier."""
        loop = asyncio.get_running_loop()
        when = loop.time() + delay
        timer = self._due.get(name)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()

        def due() -> None:
            del self._due[name]
            act()

        self._due[name] = loop.call_at(when, due)

    def cancel(self, name: str) -> bool:
        """Forget a timer, and tell whether it was set."""
        timer = self._due.pop(name, None)
        if timer is None:
            return False
        timer.cancel()
        return True

    def cancel_all(self) -> None:
        """Forget all timers."""
        for name in list(self._due):
            self.cancel(name)
