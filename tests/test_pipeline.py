"""The way of an exchange: whatever happens in whichever step, it ends once, and nothing stays taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ClientError, Conflict, Forbidden, InvalidRequest, NotFound, Unauthenticated, UpstreamFailed
from gateway.exchange.caller import Role
from gateway.exchange.exchange import Exchange
from gateway.pipeline import asked_tokens
from gateway.wire.answer import Body
from gateway.wire.chat import ChatRequest, read_chat_request
from tests.world import CHUNKS, HELLO, STREAM, USAGE, WHOLE, World, arrival, chunk


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(main())


def refused(world: World, **how: Any) -> ClientError:
    caught: list[ClientError] = []

    async def test() -> None:
        with pytest.raises(ClientError) as error:
            await world.ask(**how)
        caught.append(error.value)

    run(test)
    world.check_ended_once()
    return caught[0]


def test_a_whole_answer_gets_our_id_and_name_and_keeps_what_we_do_not_know() -> None:
    world = World([[WHOLE]])

    async def test() -> None:
        ((body,),) = await world.ask()
        exchange = world.exchange
        assert body == {**WHOLE, "id": f"chatcmpl-{exchange.id}", "model": "chat"}
        assert (exchange.result, exchange.finish, exchange.route, exchange.upstream) == ("complete", "stop", "chat", "up")
        assert exchange.usage is not None
        assert (exchange.usage.input, exchange.usage.output) == (5, 2)
        assert [step for step, _ in exchange.marks] == ["caller", "body", "route", "first_byte"]

    run(test)
    world.check_ended_once()


def test_a_stream_is_delivered_batch_by_batch_and_its_usage_only_where_asked() -> None:
    world = World(CHUNKS)

    async def test() -> None:
        batches = await world.ask(STREAM)
        assert [len(batch) for batch in batches] == [2, 1]
        assert {body["id"] for batch in batches for body in batch} == {f"chatcmpl-{world.exchange.id}"}
        batches = await world.ask(STREAM[:-1] + b',"stream_options":{"include_usage":true}}')
        assert batches[-1][0]["usage"] == USAGE["usage"]
        assert world.exchange.usage is not None

    run(test)
    world.check_ended_once()


def test_the_upstream_is_asked_for_its_own_model_under_the_tenant_s_salt_and_the_route_s_limit() -> None:
    world = World([[WHOLE]])

    async def test() -> None:
        await world.ask(HELLO[:-1] + b',"max_tokens":500}')
        (call,) = world.upstream.calls
        assert (call.model, call.cache_salt, call.max_tokens) == ("real-model", "salt-acme", 100)
        assert call.exchange_id == world.exchange.id
        assert (world.exchange.max_tokens, world.exchange.shortened) == (100, True)

    run(test)


@pytest.mark.parametrize("credential", ["good", "cached"])
def test_a_known_key_is_let_in(credential: str) -> None:
    run(lambda: _ok(World([[WHOLE]]).ask(credential=credential)))


async def _ok(asking: Awaitable[list[list[Body]]]) -> None:
    assert await asking


@pytest.mark.parametrize("credential", [None, "", "bad"])
def test_without_a_good_key_the_body_is_not_even_read(credential: str | None) -> None:
    world = World([[WHOLE]])
    assert isinstance(refused(world, body=b"not JSON", credential=credential), Unauthenticated)
    assert world.exchange.result == "refused"
    assert not world.upstream.calls


@pytest.mark.parametrize("role", ["operator", "auditor", "erasure-officer"])
def test_a_role_that_is_not_for_models_asks_none(role: Role) -> None:
    assert refused(World([[WHOLE]], role=role)).code == "role_not_allowed"


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"{", InvalidRequest, "invalid_json"),
        (HELLO.replace(b"chat", b"other"), NotFound, "model_not_found"),
        (HELLO.replace(b"chat", b"closed"), Forbidden, "route_not_allowed"),
        (HELLO[:-1] + b',"chat_template_kwargs":{"x":1}}', InvalidRequest, "unsupported_field"),
    ],
)
def test_what_is_refused_reaches_no_upstream(body: bytes, kind: type[ClientError], code: str) -> None:
    world = World([[WHOLE]])
    error = refused(world, body=body)
    assert (type(error), error.code) == (kind, code)
    assert (world.exchange.result, world.exchange.error) == ("refused", code)
    assert not world.upstream.calls
    assert not world.observer.failures


def test_an_upstream_s_failure_is_the_exchange_s_and_is_counted() -> None:
    world = World(UpstreamFailed("no", reason="status 500"))
    assert refused(world).code == "upstream_error"
    assert (world.exchange.result, world.exchange.reason) == ("failed", "status 500")
    assert world.observer.failures == ["upstream_error"]


@pytest.mark.parametrize(
    ("batches", "reason"),
    [
        ([[chunk("Hi")]], "no finish_reason"),
        ([], "no finish_reason"),
        ([[chunk(index=1, finish="stop")]], "a choice that was not asked for"),
    ],
)
def test_a_stream_without_its_finish_reasons_is_a_failure(batches: list[list[Body]], reason: str) -> None:
    world = World(batches)
    assert refused(world, body=STREAM).reason == reason
    assert world.exchange.result == "failed"


def test_every_choice_must_finish() -> None:
    two = STREAM[:-1] + b',"n":2}'
    assert refused(World([[chunk(finish="stop")]]), body=two).reason == "no finish_reason"
    run(lambda: _ok(World([[chunk(finish="stop"), chunk(finish="length", index=1)]]).ask(two)))


@pytest.mark.parametrize("body", [HELLO, STREAM], ids=["plain", "stream"])
@pytest.mark.parametrize("place", ["caller", "body", "begin", "upstream", "after batch 0"])
def test_a_cancellation_in_any_step_ends_the_exchange_and_leaves_the_upstream(place: str, body: bytes) -> None:
    world = World(CHUNKS if body is STREAM else [[WHOLE]], place=place)

    async def test() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(world.ask(body))
            await world.gate.reached.wait()
            task.cancel()
        assert task.cancelled()
        assert world.exchange.result == "cancelled"

    run(test)
    world.check_ended_once()


def test_a_consumer_that_leaves_in_mid_stream_ends_the_exchange() -> None:
    world = World(CHUNKS)

    async def test() -> None:
        async def read() -> ChatRequest:
            return read_chat_request(STREAM)

        exchange = Exchange("chat")
        async with aclosing(world.pipeline.run(arrival(exchange, read))) as batches:
            async for _ in batches:
                break
        assert exchange.result == "cancelled"

    run(test)
    world.check_ended_once()


def test_a_fault_of_our_own_ends_the_exchange_too() -> None:
    world = World([[{"choices": 7}]])

    async def test() -> None:
        with pytest.raises(TypeError):
            await world.ask()
        assert (world.exchange.result, world.exchange.error) == ("failed", "internal_error")

    run(test)
    world.check_ended_once()


@pytest.mark.parametrize("body", [HELLO, STREAM], ids=["plain", "stream"])
def test_a_repeat_gets_the_first_answer_and_asks_no_upstream(body: bytes) -> None:
    world = World(CHUNKS if body is STREAM else [[WHOLE]])

    async def test() -> None:
        first = await world.ask(body, key="once")
        again = await world.ask(body, key="once")
        assert again == first
        assert (world.exchange.replayed, world.exchange.upstream, world.exchange.finish) == (True, "up", "stop")
        assert len(world.upstream.calls) == 1
        await world.ask(body, key="other")
        await world.ask(body)
        assert len(world.upstream.calls) == 3

    run(test)
    world.check_ended_once()


def test_a_repeat_while_the_first_runs_is_a_conflict_and_runs_once_it_was_given_up() -> None:
    world = World([[WHOLE]], place="upstream")

    async def test() -> None:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(world.ask(key="once"))
            await world.gate.reached.wait()
            with pytest.raises(Conflict):
                await world.ask(key="once")
            first.cancel()
        world.gate.open.set()
        await world.ask(key="once")
        assert len(world.upstream.calls) == 2

    run(test)
    world.check_ended_once()


def test_a_key_belongs_to_one_request() -> None:
    world = World([[WHOLE]])

    async def test() -> None:
        await world.ask(key="once")
        with pytest.raises(InvalidRequest) as error:
            await world.ask(HELLO.replace(b"Hello", b"Bye"), key="once")
        assert error.value.param == "Idempotency-Key"

    run(test)


def test_a_failed_answer_is_not_kept() -> None:
    world = World(UpstreamFailed("no"))

    async def test() -> None:
        for _ in range(2):
            with pytest.raises(UpstreamFailed):
                await world.ask(key="once")
        assert len(world.upstream.calls) == 2

    run(test)


@given(st.none() | st.integers(1, 1000), st.none() | st.integers(1, 1000))
def test_the_current_limit_wins_over_the_old_one(old: int | None, new: int | None) -> None:
    request = read_chat_request(
        HELLO[:-1]
        + b',"max_tokens":%s,"max_completion_tokens":%s}' % tuple(b"null" if v is None else b"%d" % v for v in (old, new))
    )
    assert asked_tokens(request) == (new if new is not None else old)
