"""The first of ours to see a request, and the one error handler."""

from __future__ import annotations

import asyncio

import pytest

from gateway.api.answering import Answering
from gateway.api.dispatch import Dispatch
from gateway.api.door import Disconnect
from gateway.api.incoming import Incoming, Message, Receive, Scope, Send
from gateway.api.server import Draining
from gateway.errors import Unavailable
from gateway.settings.tree import Server
from tests.asgi import Client, Reply, collector, receiver


class Observer:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def refused(self, code: str, request_id: str) -> None:
        assert request_id
        self.seen.append(code)

    def internal_error(self, error: BaseException, request_id: str) -> None:
        assert request_id
        self.seen.append(type(error).__name__)


async def rest(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        return
    if scope["path"] == "/broken":
        raise ZeroDivisionError
    if scope["path"] == "/hangs":
        await asyncio.Event().wait()
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]})
    await send({"type": "http.response.body", "body": b"rest"})
    if scope["path"] == "/late":
        raise ZeroDivisionError


async def hot(incoming: Incoming, answering: Answering) -> None:
    body = await incoming.body()
    if body == b"stream":
        await answering.open([])
        await answering.events(b"data: 1\n\n")
        raise ZeroDivisionError
    if body == b"hang":
        await asyncio.Event().wait()
    if body == b"bug":
        raise KeyError("secret text")
    if body == b"busy":
        raise Unavailable("Full.", retry_after=2.2)
    await answering.json(b'{"ok":1}')


class World:
    def __init__(self, *hosts: str) -> None:
        self.observer = Observer()
        self.draining = Draining()
        server = Server(allowed_hosts=hosts or ("localhost", "127.0.0.1", "::1"))
        app = Dispatch({"/hot": hot}, rest, server=server, draining=self.draining, observer=self.observer)
        self.client = Client(app)

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        return asyncio.run(self.client.send(method, path, body, **headers))


def test_hot_paths_and_the_rest_get_a_request_id() -> None:
    world = World()
    ids = {world.send(method, path).headers["x-request-id"] for method, path in (("POST", "/hot"), ("GET", "/rest"))}
    assert len(ids) == 2
    assert world.send("GET", "/rest").headers["x-a"] == "b"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"])
def test_allowed_hosts_are_answered(host: str) -> None:
    world = World()
    world.client.host = host
    assert world.send("POST", "/hot").status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil", "[::2]"])
@pytest.mark.parametrize("path", ["/hot", "/rest"])
def test_any_other_host_is_refused_everywhere(host: str, path: str) -> None:
    world = World()
    world.client.host = host
    assert world.send("POST", path).error() == (400, "host_not_allowed", None)
    assert world.observer.seen == ["host_not_allowed"]


def test_a_star_allows_every_host() -> None:
    world = World("*")
    world.client.host = "anything"
    assert world.send("POST", "/hot").status == 200


def test_hot_paths_take_post_only() -> None:
    assert World().send("GET", "/hot").error()[:2] == (405, "method_not_allowed")


def test_while_draining_new_work_is_refused_and_the_rest_still_answers() -> None:
    world = World()
    world.draining.begun = True
    reply = world.send("POST", "/hot")
    assert (reply.error()[:2], reply.headers["retry-after"]) == ((503, "draining"), "1")
    assert world.send("GET", "/rest").status == 200


def test_an_error_of_ours_keeps_its_status_and_rounds_its_wait_up() -> None:
    world = World()
    reply = world.send("POST", "/hot", b"busy")
    assert (reply.error()[:2], reply.headers["retry-after"]) == ((503, "overloaded"), "3")
    assert world.observer.seen == []


@pytest.mark.parametrize(("method", "path", "body"), [("POST", "/hot", b"bug"), ("GET", "/broken", b"")])
def test_a_fault_is_an_internal_error_without_its_text(method: str, path: str, body: bytes) -> None:
    world = World()
    reply = world.send(method, path, body)
    assert reply.error() == (500, "internal_error", None)
    assert b"secret" not in reply.body
    assert world.observer.seen in (["KeyError"], ["ZeroDivisionError"])


def test_a_fault_in_mid_stream_is_an_error_event_without_done() -> None:
    reply = World().send("POST", "/hot", b"stream")
    one, error = reply.events()
    assert (one, error["error"]["code"]) == (1, "internal_error")


def test_a_fault_after_another_application_s_answer_changes_nothing() -> None:
    world = World()
    assert world.send("GET", "/late").body == b"rest"
    assert world.observer.seen == ["ZeroDivisionError"]


@pytest.mark.parametrize("name", ["authorization", "host", "idempotency-key"])
def test_a_header_that_counts_may_come_once(name: str) -> None:
    world = World()
    reply = Reply()
    scope = world.client.scope("POST", "/hot", {})
    scope["headers"] += [(name.encode(), b"Bearer a"), (name.encode(), b"Bearer b")]
    asyncio.run(world.client.app(scope, receiver(b""), collector(reply)))
    assert reply.error() == (400, "invalid_field", name)


@pytest.mark.parametrize("gone", [True, False])
def test_a_cancelled_request_is_silent_for_who_is_gone_and_told_to_who_is_not(gone: bool) -> None:
    async def main() -> None:
        world, disconnect, reply = World(), Disconnect(), Reply()
        asked = asyncio.Event()

        async def receive() -> Message:
            asked.set()
            return {"type": "http.request", "body": b"hang"}

        scope = world.client.scope("POST", "/hot", {}, disconnect=disconnect)
        async with asyncio.TaskGroup() as group:
            group.create_task(world.client.app(scope, receive, collector(reply)))
            await asked.wait()
            await asyncio.sleep(0)
            assert disconnect.task is not None
            disconnect.gone = gone
            disconnect.task.cancel()
        assert (reply.status, b"draining" in reply.body) == ((0, False) if gone else (503, True))

    asyncio.run(main())


def test_a_client_that_goes_cannot_cancel_the_control_plane() -> None:
    async def main() -> None:
        world, disconnect = World(), Disconnect()
        scope = world.client.scope("GET", "/hangs", {}, disconnect=disconnect)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(world.client.app(scope, receiver(b""), collector(Reply())))
            await asyncio.sleep(0)
            assert disconnect.task is None
            task.cancel()

    asyncio.run(main())


def test_the_lifespan_is_the_rest_s() -> None:
    asyncio.run(World().client.app({"type": "lifespan"}, receiver(b""), collector(Reply())))
