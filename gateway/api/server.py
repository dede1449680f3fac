"""The life of a serving process: listen, say so, sweep the doors, drain on a signal, exit.

On the first SIGTERM or SIGINT
1. `Draining.begun` turns true: for `grace` seconds the listener still accepts and the app answers new work with 503, so that
   whoever balances the load can notice;
2. the listener closes, and idle connections with it; what runs may end;
3. `SETTLE_SECONDS` before `timeout` has passed in all, what still runs is cancelled, so that it settles and tells its client;
   four fifths of that time are for it, the last fifth is for the app's own shutdown;
4. the process exits with 0, at `timeout` at the latest.
A second signal ends it at once, with 1 if that cut anything off.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from time import monotonic
from types import FrameType
from typing import Any

import uvicorn

from gateway.api.door import SWEEP_INTERVAL, Door, DoorLimits
from gateway.errors import GatehouseError, SettingsError
from gateway.settings.tree import Server

SETTLE_SECONDS = 5.0
"""How long cancelled work has to settle; a quarter of the drain's time where that is less."""

_TICK = 0.1  # seconds; uvicorn's
_TICKS_PER_SWEEP = round(SWEEP_INTERVAL / _TICK)
_BACKLOG = 2048
_FILES = 1_048_576


class StartFailed(GatehouseError):
    """The app did not start."""


@dataclass(slots=True)
class Draining:
    """Whether the process is on its way out; the app refuses new work once that has `begun`."""

    begun: bool = False


@dataclass(frozen=True, slots=True)
class DrainTimes:
    """Seconds from the first signal: how long new work is still answered, and when all is over."""

    grace: float
    timeout: float


class Faults(logging.Handler):
    """Hands `report` what uvicorn and the event loop log as errors: the exception, and where in the code it was logged.

    The text goes nowhere: it may quote what a client sent.
    """

    def __init__(self, report: Callable[[BaseException | None, str], None]) -> None:
        super().__init__(logging.ERROR)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        """Report one record; a cancellation is no fault."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, asyncio.CancelledError):
            self._report(error, f"{record.name}:{record.funcName}:{record.lineno}")


def limits_of(server: Server) -> DoorLimits:
    """Return what the door lets in; raises `SettingsError` for a deadline that two sweeps could not keep."""
    for key in ("header_timeout", "body_timeout", "idle_timeout"):
        if getattr(server, key) < 2 * SWEEP_INTERVAL:
            raise SettingsError(f"server.{key} must be at least {2 * SWEEP_INTERVAL} seconds.")
    return DoorLimits(
        max_header_bytes=server.max_header_bytes,
        max_body_bytes=server.max_body_bytes,
        header_timeout=server.header_timeout,
        body_timeout=server.body_timeout,
        idle_timeout=server.idle_timeout,
    )


def configuration(
    app: Any,
    limits: DoorLimits,
    *,
    report: Callable[[BaseException | None, str], None],
    on_refused: Callable[[str, str], None] | None = None,
) -> uvicorn.Config:
    """Return uvicorn's configuration: our door, uvloop, an app with a lifespan, and no log of its own."""
    loggers = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")
    return uvicorn.Config(
        app,
        http=partial(Door, limits=limits, on_refused=on_refused),  # type: ignore[arg-type]  # called as a class is
        loop="uvloop",
        ws="none",
        lifespan="on",
        interface="asgi3",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        backlog=_BACKLOG,
        log_config={
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"faults": {"()": lambda: Faults(report)}},
            "loggers": {name: {"level": "ERROR", "handlers": [], "propagate": False} for name in loggers}
            | {name: {"level": "ERROR", "handlers": ["faults"], "propagate": False} for name in ("uvicorn.error", "asyncio")},
        },
    )


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises `SettingsError` in a sentence when the address cannot be had.

    It listens at once: who connects while the app is being built waits, and a second gateway fails here.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingsError(f'server.host = "{host}" is no address: {error.strerror}.') from error
    # A name may stand for both families; then IPv4, which every client tries.
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(_why_not(error, host, port)) from error
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"server.port = {port} is in use on {host}: stop the other program, or choose another port (--port)."
    if error.errno == errno.EACCES:
        return f"server.port = {port} needs privileges: choose a port above 1023 (--port)."
    if error.errno == errno.EADDRNOTAVAIL:
        return f'server.host = "{host}" is no address of this machine: choose one that is (--host).'
    return f'server.host = "{host}", server.port = {port}: {error.strerror}.'


def address_of(listener: socket.socket) -> str:
    """Return the URL at which a socket listens."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def raise_file_limit() -> None:
    """Let this process open as many connections as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        # Some systems allow less than they say; then it stays as it was.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class GatehouseServer(uvicorn.Server):
    """Serves until a signal or `drain`; `on_ready` hears the address once requests are accepted."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        draining: Draining,
        times: DrainTimes,
        on_ready: Callable[[str], None],
        on_draining: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._draining = draining
        self._times = times
        self._on_ready = on_ready
        self._on_draining = on_draining
        self._told = False
        self._closes = self._ends = inf
        self.exit_code = 0

    def drain(self) -> None:
        """Begin to end; once begun it goes on by itself."""
        if not self._draining.begun:
            self._draining.begun = True
            self._closes = monotonic() + self._times.grace
            self._ends = monotonic() + self._times.timeout

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # the signature of a signal handler
        """Drain at the first signal, end at the second; uvicorn would raise the signal again at the end, and not exit with 0."""
        if not self._draining.begun:
            self.drain()
        elif not self.started:
            raise SystemExit(1)
        else:
            self.force_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, then accept, then say so; raises `StartFailed` when the app does not start."""
        try:
            await super().startup(sockets=sockets)
        except SystemExit as exit_:
            if not self.lifespan.should_exit:
                raise
            raise StartFailed("The gateway could not start: see the error that was logged before this.") from exit_
        self._on_ready(address_of((sockets or self.servers[0].sockets)[0]))

    async def on_tick(self, counter: int) -> bool:
        """Sweep, and say whether it is time to stop listening: after the drain's grace, or at once where uvicorn says so."""
        if await super().on_tick(counter):
            self.drain()
            self._closes = 0.0
        if counter % _TICKS_PER_SWEEP == 0:
            self._sweep()
        if self._draining.begun and not self._told:
            # Not from the signal's handler: whoever listens may hold a lock that the handler interrupted.
            self._told = True
            self._on_draining()
        return self.force_exit or monotonic() >= self._closes

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listener, let work end, cancel what is left, shut the app down."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for door in tuple(self.server_state.connections):
            door.shutdown()
        settle = min(SETTLE_SECONDS, self._times.timeout / 4)
        await self._all_done(self._ends - settle)
        await self._cut_off(self._ends - settle / 5)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if self.force_exit else self._ends - monotonic()):
                await self.lifespan.shutdown()

    async def _cut_off(self, deadline: float) -> None:
        tasks = tuple(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if self.force_exit and tasks:
            self.exit_code = 1
        await self._all_done(deadline)
        for door in tuple(self.server_state.connections):
            door.transport.abort()

    async def _all_done(self, deadline: float) -> None:
        """Wait until nothing runs and every connection is closed, the deadline has passed, or a second signal came."""
        while (self.server_state.tasks or self.server_state.connections) and monotonic() < deadline and not self.force_exit:
            self._sweep()
            await asyncio.sleep(_TICK / 2)

    def _sweep(self) -> None:
        horizon = monotonic() + SWEEP_INTERVAL + _TICK / 2
        for door in tuple(self.server_state.connections):
            door.sweep(horizon)  # type: ignore[union-attr]  # the configuration admits nothing but doors
