"""A disk that is full, read-only or slow: callers are told 503, nothing acknowledged is lost, and it works again by itself."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.entry import Gap
from gateway.audit.place import Seams
from gateway.audit.store import Connection, Cursor, connect
from gateway.audit.vault.dayfile import Files
from tests.asgi import Client, Reply
from tests.audit.faulty import Faults
from tests.fault.client import DONE
from tests.fault.recorded import opened, recorded, verified
from tests.gatehouse import Gatehouse

pytestmark = pytest.mark.xdist_group("disk")

CHAT = "/v1/chat/completions"
MANY = 200
"""Requests in which something must have happened."""
SLOW = 2.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 64 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "gatehouse-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"this system mounts no small disk: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def ask(client: Client, text: str = "Hello.", *, stream: bool = False) -> Reply:
    return await client.post(CHAT, {"model": "chat", "messages": [{"role": "user", "content": text}], "stream": stream})


def is_complete(reply: Reply) -> bool:
    started = reply.headers.get("content-type", "").startswith("text/event-stream")
    return reply.status == 200 and (reply.body.endswith(DONE) if started else reply.ended)


def check_refused(reply: Reply) -> None:
    """Expect the answer of a gateway that cannot write its log."""
    assert reply.error() == (503, "audit_unavailable", None)
    assert int(reply.headers["retry-after"]) >= 1


async def until(client: Client, status: int) -> AsyncIterator[Reply]:
    """Ask until an answer has this status, and yield all answers."""
    for number in range(MANY):
        reply = await ask(client, stream=number % 2 == 0)
        yield reply
        if reply.status == status:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"{MANY} requests, and none got {status}")


def check_log(house: Gatehouse, replies: list[Reply]) -> None:
    """Expect the log to say of each answer what its client saw, and all payloads to open."""
    store = house.settings.store.path
    found = recorded(store)
    complete = {reply.headers["x-request-id"] for reply in replies if is_complete(reply)}
    assert complete
    assert [each for each in complete if each not in found.ends or found.ends[each].result != "complete"] == []
    assert found.unended == set()
    assert verified(store) == []
    assert complete <= opened(found).keys()


def fill(folder: Path) -> Path:
    """Take all space that is left."""
    file = folder / "everything"
    with file.open("wb", buffering=0) as filling:
        try:
            while True:
                filling.write(bytes(4096))
        except OSError:
            return file


def test_a_full_disk_refuses_and_recovers(small_disk: Path) -> None:
    house = Gatehouse(small_disk)
    replies: list[Reply] = []

    async def story(client: Client) -> None:
        replies.extend([await ask(client, stream=number % 2 == 0) for number in range(20)])
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(ask(client, "#fake chunks=20 gap=0.1", stream=True)) for _ in range(8)]
            assert await house.ledger.reached(20 + len(running), seconds=10)
            everything = fill(small_disk)
            replies.extend([reply async for reply in until(client, 503)])
            dispatched = len(house.served)
            for _ in range(20):
                check_refused(await ask(client))
            assert len(house.served) == dispatched
        replies.extend(each.result() for each in running)
        assert any(is_complete(each.result()) for each in running), "what had begun is ended on the space that was held back"
        everything.unlink()
        replies.extend([reply async for reply in until(client, 200)])

    house.run(story)
    assert all(is_complete(reply) for reply in replies[:20])
    assert [reply.status for reply in replies if not is_complete(reply) and reply.status not in {200, 503}] == []
    check_log(house, replies)
    assert house.lines("audit_disk")


@pytest.mark.parametrize("error", ["SQLITE_READONLY", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC"])
def test_a_disk_that_takes_no_writes_refuses_and_recovers(tmp_path: Path, error: str) -> None:
    house = Gatehouse(tmp_path)
    faults = Faults()
    replies: list[Reply] = []

    async def story(client: Client) -> None:
        replies.extend([await ask(client, stream=number % 2 == 0) for number in range(10)])
        faults.fail_from_now_on(error)
        served = len(house.served)
        for _ in range(10):
            check_refused(await ask(client))
        assert len(house.served) == served
        faults.fail_from_now_on(None)
        replies.extend([reply async for reply in until(client, 200)])

    house.run(story, seams=Seams(connect=faults.connect))
    assert all(is_complete(reply) for reply in replies[:10])
    check_log(house, replies)


def test_a_disk_that_fails_in_mid_stream_ends_the_stream_without_done(tmp_path: Path) -> None:
    house = Gatehouse(tmp_path)
    faults = Faults()
    replies: list[Reply] = []

    async def story(client: Client) -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(ask(client, "#fake chunks=10 gap=0.02", stream=True))
            assert await house.ledger.reached(1, seconds=10)
            faults.fail_from_now_on("SQLITE_READONLY")
        faults.fail_from_now_on(None)
        reply = running.result()
        assert not is_complete(reply)
        assert reply.events()[-1]["error"]["code"] == "audit_unavailable"
        replies.extend([reply, *[reply async for reply in until(client, 200)]])

    house.run(story, seams=Seams(connect=faults.connect))
    check_log(house, replies)
    assert replies[0].headers["x-request-id"] in recorded(house.settings.store.path).abandoned


def test_a_payload_that_cannot_be_stored_is_no_complete_answer(tmp_path: Path) -> None:
    house = Gatehouse(tmp_path)
    replies: list[Reply] = []
    fails = [False]

    def sync(handle: int) -> None:
        if fails[0]:
            raise OSError(errno.EIO, "a text")
        os.fdatasync(handle)

    async def story(client: Client) -> None:
        replies.extend([await ask(client, stream=number % 2 == 0) for number in range(10)])
        fails[0] = True
        plain, stream = await ask(client), [reply async for reply in until(client, 200)][-1]
        check_refused(plain)
        assert not is_complete(stream)
        assert stream.events()[-1]["error"]["code"] == "audit_unavailable"
        fails[0] = False
        replies.extend([plain, stream, *[reply async for reply in until(client, 200)]])
        assert house.ledger.totals.running == 0

    house.run(story, files=Files(sync=sync))
    check_log(house, replies)
    assert all(is_complete(reply) for reply in [*replies[:10], replies[-1]])


def test_where_a_hole_is_allowed_answers_go_on_and_the_hole_is_entered(tmp_path: Path) -> None:
    house = Gatehouse(tmp_path, '[audit]\non_failure = "record-gap"\n')
    faults = Faults()
    replies: list[Reply] = []

    async def story(client: Client) -> None:
        replies.extend([await ask(client, stream=number % 2 == 0) for number in range(4)])
        async with asyncio.TaskGroup() as group:
            running = group.create_task(ask(client, "#fake chunks=10 gap=0.02", stream=True))
            assert await house.ledger.reached(5, seconds=10)
            faults.fail_from_now_on("SQLITE_READONLY")
            replies.extend([await ask(client, stream=number % 2 == 0) for number in range(10)])
        replies.append(running.result())
        faults.fail_from_now_on(None)

    house.run(story, seams=Seams(connect=faults.connect))
    assert all(is_complete(reply) for reply in replies)
    found = recorded(house.settings.store.path)
    unrecorded = [each for each in replies if each.headers["x-request-id"] not in found.ends]
    assert len(unrecorded) == 11
    assert sum(each.exchanges for each in found.entries if isinstance(each, Gap)) == len(unrecorded)
    assert found.unended == set()
    assert verified(house.settings.store.path) == []


class SlowConnection:
    """Waits before each write as long as it is told."""

    def __init__(self, inner: Connection, seconds: Callable[[], float]) -> None:
        self._inner = inner
        self._seconds = seconds
        self._never = threading.Event()

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        if sql.startswith("INSERT"):
            self._never.wait(self._seconds())
        return self._inner.execute(sql, parameters)

    def close(self) -> None:
        self._inner.close()


def test_a_disk_that_takes_two_seconds_refuses_what_begins_and_answers_what_had_begun(tmp_path: Path) -> None:
    house = Gatehouse(tmp_path)
    replies: list[Reply] = []
    takes = [0.0]

    async def story(client: Client) -> None:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(ask(client, "#fake delay=0.2", stream=number % 2 == 0)) for number in range(8)]
            assert await house.ledger.reached(len(running), seconds=10)
            takes[0] = SLOW
            began = asyncio.get_running_loop().time()
            refused = [group.create_task(ask(client)) for _ in range(8)]
        took = asyncio.get_running_loop().time() - began
        takes[0] = 0.0
        for each in refused:
            check_refused(each.result())
        assert len(house.served) == len(running)
        assert all(is_complete(each.result()) for each in running)
        assert took >= SLOW
        replies.extend(each.result() for each in running)
        replies.extend([reply async for reply in until(client, 200)])

    house.run(story, seams=Seams(connect=lambda path: SlowConnection(connect(path), lambda: takes[0])))
    check_log(house, replies)
