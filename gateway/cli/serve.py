"""`gatehouse serve`: the gateway, in this process or in several workers."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from gateway.api.dispatch import Asgi
from gateway.api.server import (
    Draining,
    DrainTimes,
    GatehouseServer,
    address_of,
    bind,
    configuration,
    limits_of,
    raise_file_limit,
)
from gateway.api.workers import Workers, ready
from gateway.cli.exits import exits
from gateway.errors import SettingsError
from gateway.settings.load import load
from gateway.settings.tree import Settings
from gateway.telemetry.events import DRAINING, INTERNAL_ERROR, READY, SETTINGS_LOADED, STOPPED, WORKER_ENDED
from gateway.telemetry.log import Log, open_log, raw_stderr
from gateway.telemetry.metrics import SHARED_FOLDER, Metrics
from gateway.telemetry.observer import Observer

BATCH = 64
"""Ended exchanges that are counted and logged together."""

Build = Callable[[Settings, Draining, Observer], Asgi]
"""Makes the application of one process; a function of a module, so that workers can be told of it."""


def serve(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = Path("gateway.toml"),
    *,
    host: Annotated[str | None, typer.Option(help="Listen here instead of server.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Instead of server.port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Instead of server.workers.")] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; then drain and exit."""
    with exits():
        settings = with_options(load(config), host=host, port=port, workers=workers)
        with open_log(raw_stderr()) as log:
            log.info(
                SETTINGS_LOADED,
                path=str(config),
                routes=len(settings.routes),
                upstreams=len(settings.upstreams),
                tenants=len(settings.tenants),
            )
            recover(settings)
            code = run(settings, application, log=log)
            log.info(STOPPED)
    raise typer.Exit(code)


def application(settings: Settings, draining: Draining, observer: Observer) -> Asgi:
    """Build the gateway itself."""
    from gateway.app import Application  # noqa: PLC0415  # half a second that no other command, nor a parent of workers, needs

    return Application(settings, draining=draining, observer=observer).asgi


def recover(settings: Settings) -> None:
    """End what processes that crashed left open in the log, whether or not as many as then are about to start."""
    from gateway.audit.opening import recover_free  # noqa: PLC0415  # as `application`
    from gateway.audit.writing import writing  # noqa: PLC0415

    recover_free(settings.store.path, writing(settings))


def with_options(settings: Settings, **options: Any) -> Settings:
    """Return settings whose `server` section has the options that were given."""
    given = {key: value for key, value in options.items() if value is not None}
    return settings.model_copy(update={"server": settings.server.model_copy(update=given)})


def run(settings: Settings, build: Build, *, log: Log) -> int:
    """Serve until a signal; returns the exit code. Raises `SettingsError` where the settings cannot work."""
    server = settings.server
    limits_of(server)
    if server.workers > 1 and not settings.store.redis:
        raise SettingsError(
            f"server.workers = {server.workers} needs store.redis: without it each worker would count budgets for itself."
        )
    raise_file_limit()
    with bind(server.host, server.port) as listener:
        address = address_of(listener)
        if server.workers == 1:
            return _serve(settings, build, listener, log=log, on_ready=lambda _: log.info(READY, address=address))
        return _serve_by_workers(settings, build, listener, log=log)


def _serve_by_workers(settings: Settings, build: Build, listener: socket.socket, *, log: Log) -> int:
    address = address_of(listener)
    workers = Workers(
        partial(_work, settings=settings, build=build),
        settings.server.workers,
        on_ready=lambda: log.info(READY, address=address, workers=settings.server.workers),
        on_ended=lambda pid, code: log.error(WORKER_ENDED, pid=pid, code=code),
    )
    with TemporaryDirectory(prefix="gatehouse-metrics-") as folder:
        # Workers inherit it: /metrics of any of them sums over all.
        os.environ.setdefault(SHARED_FOLDER, folder)
        return workers.run(listener, drain_timeout=settings.server.drain_timeout)


def _work(listener: socket.socket, pipe: Connection, *, settings: Settings, build: Build) -> int:
    """Serve in a worker process."""
    raise_file_limit()
    with open_log(raw_stderr()) as log, listener:

        def on_ready(server: GatehouseServer) -> None:
            loop = asyncio.get_running_loop()

            def parent_says_drain() -> None:
                loop.remove_reader(pipe.fileno())
                server.drain()

            loop.add_reader(pipe.fileno(), parent_says_drain)
            ready(pipe)

        return _serve(settings, build, listener, log=log, on_ready=on_ready)


def _serve(
    settings: Settings, build: Build, listener: socket.socket, *, log: Log, on_ready: Callable[[GatehouseServer], None]
) -> int:
    observer = Observer(Metrics(), log, batch=BATCH)
    draining = Draining()

    def report(error: BaseException | None, place: str) -> None:
        if error is None:
            log.error(INTERNAL_ERROR, place=place)
        else:
            observer.internal_error(error, "")

    app = build(settings, draining, observer)
    config = configuration(app, limits_of(settings.server), report=report, on_refused=observer.refused)
    server = GatehouseServer(
        config,
        draining=draining,
        times=DrainTimes(settings.server.drain_grace, settings.server.drain_timeout),
        on_ready=lambda _: on_ready(server),
        on_draining=lambda: log.info(DRAINING),
    )
    _settle_memory()
    server.run(sockets=[listener])
    observer.flush()
    return server.exit_code


def _settle_memory() -> None:
    """Leave what lives as long as the process out of every later look for garbage, and look less often: requests make none."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
