"""What is entered of an exchange: the whole gateway in process, its log and payloads read back from the disk."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from gateway.api.door import Disconnect
from gateway.app import open_log
from gateway.audit.canonical import EntryError, decode
from gateway.audit.contract import Unwatched
from gateway.audit.entry import Abandoned, Begin, Close, Config, End, Entry, Genesis, Payload, Refused, Tried
from gateway.audit.layout import slot_folder
from gateway.audit.reader import Reader, Stored
from gateway.audit.vault.keyring import read_keyring
from gateway.audit.vault.reader import Opened, PayloadReader
from gateway.audit.verify.logs import verify
from gateway.exchange.caller import Caller
from gateway.exchange.exchange import Exchange
from tests.asgi import Client, Reply, collector, receiver
from tests.gatehouse import Gatehouse

PATH = "/v1/chat/completions"


def hello(content: str = "Hello you", **fields: Any) -> dict[str, Any]:
    return {"model": "chat", "messages": [{"role": "user", "content": content}], **fields}


def entries(gatehouse: Gatehouse) -> list[Entry]:
    reader = Reader(slot_folder(gatehouse.settings.store.path, "0"))
    stored: list[Stored] = []
    try:
        while rows := reader.rows(len(stored)):
            stored += [each for row in rows for each in row.cut()]
    finally:
        reader.close()
    assert [each.index for each in stored] == list(range(len(stored)))
    return [decode(each.data) for each in stored]


def exchange(gatehouse: Gatehouse) -> tuple[Begin, End]:
    """Give the one exchange of the log."""
    found = [each for each in entries(gatehouse) if isinstance(each, Begin | End)]
    begin, end = found
    assert isinstance(begin, Begin)
    assert isinstance(end, End)
    assert begin.id == end.id
    return begin, end


def opened(gatehouse: Gatehouse, begin: Begin, end: End) -> Opened:
    store = gatehouse.settings.store.path
    assert isinstance(end.payload, Payload)
    keyring = read_keyring(store)
    try:
        return PayloadReader(store, keyring).open_payload(end.id, end.payload, tenant=begin.tenant, slot="0")
    finally:
        keyring.close()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_an_exchange_is_entered_with_who_where_how_and_what(tmp_path: Path, stream: bool) -> None:
    gatehouse = Gatehouse(tmp_path)
    body = b'{"model":"chat","temperature":0.5,"stream":%s,"messages":[{"role":"user","content":"Hello you"}]}' % (
        b"true" if stream else b"false"
    )
    replies: list[Reply] = []

    async def test(client: Client) -> None:
        replies.append(await client.post(PATH, body))

    gatehouse.run(test)
    (reply,) = replies
    begin, end = exchange(gatehouse)
    assert begin.id == reply.headers["x-request-id"]
    assert (begin.tenant, begin.role, begin.route, begin.upstream, begin.model) == ("acme", "app", "chat", "fake", "fake")
    assert (begin.operation, begin.stream, begin.max_tokens, begin.parameters) == ("chat", stream, 512, {"temperature": "0.5"})
    assert begin.received_bytes == len(body)
    assert (end.result, end.status, end.finish_reasons, end.client_gone) == ("complete", 200, ["stop"], False)
    assert (end.usage.input_tokens, end.usage.output_tokens) == (7, 3)  # type: ignore[union-attr]
    (attempt,) = end.attempts
    assert (attempt.upstream, attempt.status) == ("fake", 200)
    assert end.delivered_bytes == len(reply.body)
    # The last piece waits for this very entry.
    assert end.bytes == (len(reply.body) - len(b"data: [DONE]\n\n") if stream else 0)
    assert set(end.timings) == {"caller", "body", "route", "first_byte"}
    parts = opened(gatehouse, begin, end)
    assert parts.parts["received"] == body
    assert parts.parts["delivered"] == reply.body
    assert b"echo:" in parts.parts["answer"]
    assert b'"fake"' in parts.parts["sent/1"]
    commitments = {"received": begin.received, "sent/1": attempt.sent, "answer": end.answer, "delivered": end.delivered}
    assert {part: parts.commitment(part) for part in commitments} == commitments


def test_a_log_begins_with_its_genesis_and_ends_with_its_close(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        await client.post(PATH, hello())

    gatehouse.run(test)
    gatehouse.run(test)
    assert [type(each) for each in entries(gatehouse)] == [Genesis, Config, Begin, End, Close, Config, Begin, End, Close]


def test_nothing_of_a_request_or_an_answer_stands_in_an_entry_or_in_the_clear(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        body = hello("TOPSECRET", user="TOPSECRET", metadata={"a": "TOPSECRET"}, stop="TOPSECRET")
        await client.post(PATH, body)
        await client.post(PATH, body | {"stream": True})
        await client.post(PATH, hello("TOPSECRET", TOPSECRET=1))

    gatehouse.run(test)
    files = [each for each in gatehouse.settings.store.path.rglob("*") if each.is_file() and each.name != "ballast"]
    assert len(files) > 5
    for file in files:
        assert b"TOPSECRET" not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("body", "result", "error", "status"),
    [
        (hello("#fake fault=server-error"), "failed", "upstream_error", 502),
        (hello("#fake fault=reset-mid-answer", stream=True), "failed", "upstream_error", 200),
        (hello(nonsense=1), "refused", "unsupported_field", 400),
        (hello() | {"model": "nothing"}, "refused", "model_not_found", 404),
    ],
)
def test_what_fails_or_is_refused_is_an_exchange_too(
    tmp_path: Path, body: dict[str, Any], result: str, error: str, status: int
) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        await client.post(PATH, body)

    gatehouse.run(test)
    _, end = exchange(gatehouse)
    assert (end.result, end.error, end.status) == (result, error, status)
    assert [attempt.error for attempt in end.attempts] == ([error] if result == "failed" else [])


def test_refusals_of_the_unknown_and_too_many_equal_ones_are_counted(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        for _ in range(70):
            await client.post(PATH, hello(nonsense=1))
        client.key = ""
        for _ in range(3):
            await client.post(PATH, hello())
        await client.get("/nothing")
        client.host = "evil"
        await client.get("/healthz")

    gatehouse.run(test)
    found = entries(gatehouse)
    assert len([each for each in found if isinstance(each, End)]) == 60
    refusals = {(each.code, each.tenant): each.count for entry in found if isinstance(entry, Refused) for each in entry.refusals}
    assert refusals[("unsupported_field", "acme")] == 10
    assert refusals[("invalid_api_key", "")] == 3
    assert refusals[("host_not_allowed", "")] == 1


@pytest.mark.parametrize("size", [10, 100_000], ids=["small", "large"])
def test_a_client_that_goes_leaves_an_end_with_what_it_got(tmp_path: Path, size: int) -> None:
    gatehouse = Gatehouse(tmp_path)
    content = "#fake fault=hang-mid-answer\\n" + "x" * size

    async def test(client: Client) -> None:
        gone = Disconnect()
        scope = client.scope("POST", PATH, {}, disconnect=gone)
        body = b'{"model":"chat","stream":true,"messages":[{"role":"user","content":"%s"}]}' % content.encode()
        reply = Reply()
        async with asyncio.TaskGroup() as group:
            group.create_task(client.app(scope, receiver(body), collector(reply)))
            while not reply.parts:  # noqa: ASYNC110  # no event tells of it
                await asyncio.sleep(0.001)
            assert gone.task is not None
            gone.gone = True
            gone.task.cancel()

    gatehouse.run(test)
    begin, end = exchange(gatehouse)
    assert (end.result, end.client_gone) == ("cancelled", True)
    assert opened(gatehouse, begin, end).parts["delivered"].startswith(b"data: ")


@pytest.mark.parametrize("where", ["audit", "route"])
def test_where_no_payloads_are_kept_nothing_is_sealed_and_nothing_committed_to(tmp_path: Path, where: str) -> None:
    more = '[audit]\npayloads = "none"\n'
    if where == "route":
        more = '[routes.quiet]\nupstreams = [{ name = "fake", model = "fake" }]\npayloads = "none"\n'
    gatehouse = Gatehouse(tmp_path, more)

    async def test(client: Client) -> None:
        await client.post(PATH, hello() | {"model": "quiet" if where == "route" else "chat"})

    gatehouse.run(test)
    begin, end = exchange(gatehouse)
    assert (end.payload, end.result) == ("none", "complete")
    assert not isinstance(begin.received, str)
    assert not isinstance(end.answer, str)


def test_a_large_answer_is_sealed_beside_the_loop_and_opens(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        reply = await client.post(PATH, hello('#fake text="' + "word " * 20_000 + '"', max_tokens=512))
        assert reply.status == 200

    gatehouse.run(test)
    begin, end = exchange(gatehouse)
    assert opened(gatehouse, begin, end).commitment("received") == begin.received


def test_a_repeat_is_an_exchange_of_its_own_and_says_so(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        for _ in range(2):
            await client.post(PATH, hello(), idempotency_key="once")

    gatehouse.run(test)
    ends = [each for each in entries(gatehouse) if isinstance(each, End)]
    assert [(each.replayed, each.attempts_total) for each in ends] == [(False, 1), (True, 0)]


def test_nobody_is_abandoned_where_nothing_crashed(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        await asyncio.gather(*(client.post(PATH, hello(stream=bool(number % 2))) for number in range(40)))

    gatehouse.run(test)
    found = entries(gatehouse)
    assert len([each for each in found if isinstance(each, End)]) == 40
    assert not [each for each in found if isinstance(each, Abandoned)]


def test_an_entry_that_cannot_be_made_fails_its_exchange_and_no_other(tmp_path: Path) -> None:
    """Whatever a fault of ours puts into an exchange, its begin and end stand in the log and its client is told."""
    gatehouse = Gatehouse(tmp_path)
    log = open_log(gatehouse.settings, Unwatched())
    caller = Caller("acme", None, "ABCDEFGHJKLM", "app")
    spoilt, other = Exchange("chat", caller=caller, route="chat"), Exchange("chat", caller=caller, route="chat")

    async def one(exchange: Exchange) -> None:
        async with await log.begin(exchange, {}, payloads=None) as entered:
            await entered.durable()
            exchange.evidence.attempt("fake", "fake").status = -1 if exchange is spoilt else 200
            exchange.settle(None)
            await entered.end()

    async def main() -> None:
        failed, done = await asyncio.gather(one(spoilt), one(other), return_exceptions=True)
        assert isinstance(failed, EntryError)
        assert done is None
        await log.close()

    asyncio.run(main())
    found = {each.id: each for each in entries(gatehouse) if isinstance(each, End)}
    assert (found[spoilt.id].result, found[spoilt.id].error, found[spoilt.id].payload) == ("failed", "internal_error", "none")
    assert found[spoilt.id].attempts == [Tried(upstream="fake", model="fake", us=0)]
    assert (found[other.id].result, found[other.id].attempts_total) == ("complete", 1)
    assert verify(gatehouse.settings.store.path, now=time.time()).problems == []


def test_a_begin_that_cannot_be_made_lets_nothing_be_dispatched(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)
    log = open_log(gatehouse.settings, Unwatched())
    exchange = Exchange("chat", caller=Caller("acme", None, "ABCDEFGHJKLM", "app"), route="chat", max_tokens=-1)

    async def main() -> None:
        with pytest.raises(EntryError):
            async with await log.begin(exchange, {}, payloads=None) as entered:
                await entered.durable()
        await log.close()

    asyncio.run(main())
    begin, end = [each for each in entries(gatehouse) if isinstance(each, Begin | End)]
    assert isinstance(begin, Begin)
    assert isinstance(end, End)
    assert (begin.id, begin.tenant, begin.key, begin.route) == (exchange.id, "acme", "ABCDEFGHJKLM", UNSET)
    assert (end.id, end.result, end.error) == (exchange.id, "failed", "internal_error")
