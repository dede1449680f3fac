"""The life of a serving process, lived within the test's own process; signals are handed over as the interpreter would."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from gateway.api.door import DoorLimits
from gateway.api.server import (
    Draining,
    DrainTimes,
    Faults,
    GatehouseServer,
    StartFailed,
    _why_not,
    address_of,
    bind,
    configuration,
    limits_of,
    raise_file_limit,
)
from gateway.errors import SettingsError
from gateway.settings.tree import Server
from tests.api.house import LIMITS, PATIENCE, App, Client, connect, run

GET = b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n"
GRACE = 0.4
LATE = 2.0
"""Seconds that a busy machine may add."""
TIMES = DrainTimes(grace=GRACE, timeout=8.0)


class Served:
    """A server that runs as a task of the test."""

    def __init__(self, app: App, server: GatehouseServer, port: int) -> None:
        self.app = app
        self.server = server
        self.port = port
        self.ended = asyncio.Event()
        self.drains = 0

    def signal(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)

    async def end(self) -> float:
        """Wait for the server's end and return how long it took, in seconds."""
        begun = monotonic()
        await asyncio.wait_for(self.ended.wait(), PATIENCE)
        return monotonic() - begun


@asynccontextmanager
async def serving(times: DrainTimes = TIMES, limits: DoorLimits = LIMITS, lifespan: str = "good") -> AsyncIterator[Served]:
    draining = Draining()
    app = App(draining=draining, lifespan=lifespan)
    ready = asyncio.Event()
    addresses: list[str] = []
    told: list[str] = []

    def on_ready(address: str) -> None:
        addresses.append(address)
        ready.set()

    listener = bind("127.0.0.1", 0)
    address, port = address_of(listener), listener.getsockname()[1]
    server = GatehouseServer(
        configuration(app, limits, report=lambda _error, _place: None),
        draining=draining,
        times=times,
        on_ready=on_ready,
        on_draining=lambda: told.append("draining"),
    )
    served = Served(app, server, port)

    async def live() -> None:
        await server.serve(sockets=[listener])
        served.ended.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(live())
        await asyncio.wait_for(ready.wait(), PATIENCE)
        assert addresses == [address]
        try:
            yield served
        finally:
            app.release.set()
            server.force_exit = True
    assert told == (["draining"] if draining.begun else [])


async def hold(served: Served, client: Client) -> None:
    client.send(GET % b"/hold")
    await asyncio.wait_for(served.app.waiting.wait(), PATIENCE)


def test_new_work_is_refused_while_the_listener_is_still_open() -> None:
    async def main() -> None:
        async with serving(TIMES) as served:
            served.signal()
            async with connect(served.port) as client:
                client.send(GET % b"/echo")
                assert (await client.answer()).status == 503
            assert not served.ended.is_set()

    run(main())


def test_a_process_with_nothing_to_do_ends_as_soon_as_the_grace_is_over() -> None:
    async def main() -> None:
        async with serving(TIMES) as served, connect(served.port) as idle:
            idle.send(GET % b"/echo")
            await idle.answer()
            served.signal()
            assert GRACE <= await served.end() < GRACE + LATE
            assert await idle.rest() == b""
            assert served.app.shut_down.is_set()
            assert served.server.exit_code == 0

    run(main())


def test_what_runs_may_end_after_the_listener_has_closed() -> None:
    async def main() -> None:
        async with serving(TIMES) as served, connect(served.port) as client:
            await hold(served, client)
            served.signal()
            await refused_connection(served.port)
            assert not served.app.shut_down.is_set()
            served.app.release.set()
            assert (await client.answer()).status == 200
            assert await served.end() < LATE
            assert served.app.shut_down.is_set()
            assert served.server.exit_code == 0

    run(main())


async def refused_connection(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with connect(port):
                    await asyncio.sleep(0.01)
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # it was in the backlog of the listener that closed


def test_what_does_not_end_is_cancelled_in_time_to_settle() -> None:
    async def main() -> None:
        times = DrainTimes(grace=0.2, timeout=1.6)
        async with serving(times) as served, connect(served.port) as client:
            await hold(served, client)
            served.signal()
            begun = monotonic()
            assert (await client.answer()).status == 503
            assert monotonic() - begun > 0.6 * times.timeout
            assert served.app.cancelled.is_set()
            await served.end()
            assert monotonic() - begun < times.timeout + LATE
            assert served.app.shut_down.is_set()
            assert served.server.exit_code == 0

    run(main())


def test_who_does_not_take_the_rest_of_an_answer_does_not_hold_up_the_end() -> None:
    async def main() -> None:
        async with serving(DrainTimes(grace=0.1, timeout=1.2)) as served, connect(served.port) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(GET % b"/flood")
            served.signal()
            assert await served.end() < 1.2 + LATE
            async with asyncio.timeout(PATIENCE):
                while served.server.server_state.connections:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.02)

    run(main())


def test_deadlines_hold_while_the_process_drains() -> None:
    async def main() -> None:
        async with serving(DrainTimes(0.1, 20.0), replace(LIMITS, body_timeout=1.0)) as served, connect(served.port) as client:
            client.send(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n")
            begun = monotonic()
            await asyncio.sleep(0.1)
            served.signal()
            assert (await client.answer()).code == "request_timeout"
            await served.end()
            assert monotonic() - begun < 1.0 + LATE

    run(main())


def test_a_second_signal_ends_it_at_once_and_says_that_work_was_cut_off() -> None:
    async def main() -> None:
        async with serving(DrainTimes(5.0, 20.0)) as served, connect(served.port) as client:
            await hold(served, client)
            served.signal()
            served.signal()
            assert await served.end() < LATE
            assert served.server.exit_code == 1
            await asyncio.wait_for(served.app.cancelled.wait(), PATIENCE)

    run(main())


def test_a_second_signal_to_a_process_with_nothing_to_do_is_as_good_as_one() -> None:
    async def main() -> None:
        async with serving(DrainTimes(5.0, 20.0)) as served:
            served.signal()
            served.signal()
            assert await served.end() < LATE
            assert served.server.exit_code == 0

    run(main())


def test_an_app_that_hangs_at_its_end_does_not_hold_up_the_process() -> None:
    async def main() -> None:
        async with serving(DrainTimes(0.1, 1.0), lifespan="hangs") as served:
            served.signal()
            assert await served.end() < 1.2 + LATE

    run(main())


def test_uvicorns_own_way_to_end_needs_no_grace() -> None:
    async def main() -> None:
        async with serving(DrainTimes(5.0, 20.0)) as served:
            served.server.should_exit = True
            assert await served.end() < LATE

    run(main())


def test_an_app_that_does_not_start_is_an_error_of_ours_and_reported() -> None:
    reported: list[BaseException | None] = []

    async def main() -> None:
        config = configuration(App(lifespan="fails"), LIMITS, report=lambda error, _place: reported.append(error))
        with bind("127.0.0.1", 0) as listener:
            server = GatehouseServer(config, draining=Draining(), times=TIMES, on_ready=lambda _: pytest.fail("ready"))
            with pytest.raises(StartFailed, match="could not start"):
                await server.serve(sockets=[listener])

    run(main())
    assert isinstance(reported[0], ValueError)


def test_a_second_signal_before_the_start_is_done_ends_the_process() -> None:
    draining = Draining()
    config = configuration(App(), LIMITS, report=lambda _error, _place: None)
    server = GatehouseServer(config, draining=draining, times=TIMES, on_ready=lambda _: None)
    server.handle_exit(signal.SIGINT, None)
    assert draining.begun
    with pytest.raises(SystemExit) as ended:
        server.handle_exit(signal.SIGINT, None)
    assert ended.value.code == 1


def test_the_real_sweep_keeps_deadlines_and_never_exceeds_them() -> None:
    async def main() -> None:
        limits = replace(LIMITS, header_timeout=1.0)
        async with serving(TIMES, limits) as served, connect(served.port) as client:
            client.send(b"GET /")
            assert (await client.answer()).code == "request_timeout"
            assert 0.5 < monotonic() - client.opened < 1.0 + LATE

    run(main())


# Addresses


def test_a_port_in_use_is_a_sentence_with_the_key_and_what_to_do() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"server\.port = {port} is in use on 127\.0\.0\.1: stop .*--port"):
            bind("127.0.0.1", port)


def test_a_host_of_another_machine_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match=r'server\.host = "192\.0\.2\.1" is no address of this machine'):
        bind("192.0.2.1", 0)


def test_a_host_that_is_none_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match=r'server\.host = "no such host" is no address'):
        bind("no such host", 0)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EACCES, "server.port = 80 needs privileges"), (errno.ENOBUFS, 'server.host = "h", server.port = 80: no room')],
)
def test_any_other_reason_why_not_to_listen_is_a_sentence_too(number: int, said: str) -> None:
    assert _why_not(OSError(number, "no room"), "h", 80).startswith(said)


def test_a_name_listens_on_its_ipv4_address() -> None:
    with bind("localhost", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_ipv6_address_stands_in_brackets() -> None:
    try:
        listener = bind("::1", 0)
    except SettingsError:
        pytest.skip("no IPv6 loopback here")
    with listener:
        assert address_of(listener).startswith("http://[::1]:")


# Settings and system


def test_the_limits_are_those_of_the_settings() -> None:
    limits = limits_of(Server(max_header_bytes=1024, max_body_bytes=2048))
    assert (limits.max_header_bytes, limits.max_body_bytes) == (1024, 2048)
    assert (limits.header_timeout, limits.body_timeout, limits.idle_timeout) == (10.0, 30.0, 75.0)


@pytest.mark.parametrize("key", ["header_timeout", "body_timeout", "idle_timeout"])
def test_a_deadline_that_the_sweep_cannot_keep_is_refused_at_start(key: str) -> None:
    short: Any = {key: "100ms"}
    with pytest.raises(SettingsError, match=rf"server\.{key} must be at least 0\.4 seconds"):
        limits_of(Server(**short))


def test_the_limit_of_open_files_is_raised_as_far_as_it_may() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] - 1, before[1]))
        raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= before[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def record(error: BaseException | None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, None)
    return logging.LogRecord("asyncio", logging.ERROR, "f.py", 7, "the body was %s", ("secret",), info, "g")


def test_a_fault_is_reported_with_its_place_and_without_its_text() -> None:
    seen: list[tuple[BaseException | None, str]] = []
    error = ValueError("secret")
    faults = Faults(lambda error, place: seen.append((error, place)))
    faults.emit(record(error))
    faults.emit(record(None))
    faults.emit(record(asyncio.CancelledError()))
    assert seen == [(error, "asyncio:g:7"), (None, "asyncio:g:7")]
