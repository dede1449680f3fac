"""What is asked of a vLLM server, and what is done when it does not answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
import pytest

from gateway.http.contract import HttpBroken, HttpError, HttpRequest, HttpTimeout, HttpUnreachable
from gateway.tokens.bound import bound, text_bound
from gateway.tokens.cache import CountCache
from gateway.tokens.vllm import MEGABYTE, PAUSE, READ_BYTES, TIMEOUT, VllmCounter
from tests.tokens.samples import TOOL, tools, user
from tests.tokens.server import READ, Answer, Server, counted

Found = TypeVar("Found")


def wait(work: Awaitable[Found]) -> Found:
    async def waited() -> Found:
        return await work

    return asyncio.run(waited())


def test_messages_are_counted_by_the_server() -> None:
    server = Server(counted(19))
    count = wait(VllmCounter([server], "tiny").messages(user("hello")))
    assert (count, count.exact) == (19, True)
    [request] = server.asked
    assert (request.method, request.path, request.headers) == ("POST", "/tokenize", {"content-type": "application/json"})
    assert server.bodies == [{"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}]


def test_tools_are_asked_about_too() -> None:
    server = Server(counted(60))
    wait(VllmCounter([server], "tiny").messages(user("hello"), tools=tools(TOOL)))
    assert server.bodies[0]["tools"] == [TOOL]


def test_texts_are_counted_alone_and_in_order() -> None:
    class Lengths(Server):
        @asynccontextmanager
        async def send(self, request: HttpRequest, *, deadline: float) -> AsyncIterator[Answer]:
            self.asked.append(request)
            self.deadlines.append(deadline)
            prompt = msgspec.json.decode(request.body)["prompt"]
            for _ in range(10 - len(prompt)):  # the shortest text's answer comes last
                await asyncio.sleep(0)
            yield Answer(*counted(len(prompt)))

    server = Lengths(counted(0))
    counts = wait(VllmCounter([server], "tiny").texts(["a", "abc", "", "ab"]))
    assert counts == [1, 3, 0, 2]
    assert all(count.exact for count in counts)
    assert {"model": "tiny", "prompt": "abc", "add_special_tokens": False} in server.bodies
    assert len(server.asked) == 3


def test_what_was_asked_before_is_not_asked_again() -> None:
    server = Server(counted(5))
    counter = VllmCounter([server], "tiny")
    for _ in range(3):
        assert wait(counter.messages(user("hello"))) == 5
        assert wait(counter.texts(["hello"])) == [5]
    assert len(server.asked) == 2


def test_counts_of_different_models_are_kept_apart() -> None:
    server, cache = Server(counted(5), counted(6)), CountCache()
    assert [wait(VllmCounter([server], model, cache=cache).messages(user("hello"))) for model in ("a", "b")] == [5, 6]


def test_a_very_long_prompt_is_not_remembered_and_gets_more_time() -> None:
    server = Server(counted(5))
    counter = VllmCounter([server], "tiny")
    for _ in range(2):
        wait(counter.messages(user("a" * 2 * MEGABYTE)))
    assert len(server.asked) == 2
    assert all(3 * TIMEOUT - 0.5 < deadline < 3 * TIMEOUT + 0.5 for deadline in server.deadlines)


@pytest.mark.parametrize("error", [HttpUnreachable(), HttpTimeout(), HttpBroken()])
def test_where_the_server_does_not_answer_it_is_a_bound_and_says_so(error: HttpError) -> None:
    counter = VllmCounter([Server(error)], "tiny")
    count = wait(counter.messages(user("hello"), tools=tools(TOOL)))
    assert (count, count.exact) == (bound(user("hello"), tools(TOOL)), False)
    [text] = wait(counter.texts(["Gr\u00fc\u00dfe"]))
    assert (text, text.exact) == (text_bound("Gr\u00fc\u00dfe"), False)


@pytest.mark.parametrize(
    "answer",
    [
        (400, b'{"error": {"message": "..."}}'),
        (404, b"{}"),
        (500, b""),
        (200, b""),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"count": -1}'),
        (200, b'{"count": "5"}'),
        (200, b'{"count": 1.5}'),
        (200, b'\xff{"count": 5}'),
    ],
)
def test_an_answer_that_is_no_count_is_a_bound_and_the_server_is_asked_again(answer: tuple[int, bytes]) -> None:
    server = Server(answer, counted(7))
    counter = VllmCounter([server], "tiny")
    assert not wait(counter.messages(user("hello"))).exact
    count = wait(counter.messages(user("hello")))
    assert (count, count.exact) == (7, True)


@pytest.mark.parametrize(("body", "exact"), [(counted(1_000_000)[1], True), (b"[" + b"1," * 1_000_000 + b"1]", False)])
def test_a_very_long_answer_is_read_as_far_as_its_count(body: bytes, exact: bool) -> None:
    server = Server((200, body))
    count = wait(VllmCounter([server], "tiny").messages(user("hello")))
    assert (count, count.exact) == ((1_000_000, True) if exact else (bound(user("hello")), False))
    assert server.given[0].times_read == READ_BYTES // READ + 1


def test_a_count_of_nothing_is_a_count() -> None:
    assert wait(VllmCounter([Server(counted(0))], "tiny").messages(user("hello"))) == 0


def test_a_silent_server_is_left_alone_for_a_moment() -> None:
    server = Server(HttpTimeout(), counted(7))
    counter = VllmCounter([server], "tiny")

    async def scene() -> tuple[bool, bool, bool]:
        loop = asyncio.get_running_loop()
        first = await counter.messages(user("hello"))
        second = await counter.messages(user("hello"))
        asked = len(server.asked)
        counter._paused_until = min(counter._paused_until, loop.time() + PAUSE) - PAUSE
        third = await counter.messages(user("hello"))
        assert asked == 1
        return first.exact, second.exact, third.exact

    assert asyncio.run(scene()) == (False, False, True)


def test_a_server_that_cannot_be_reached_is_replaced_by_the_next() -> None:
    first, second = Server(HttpUnreachable()), Server(counted(7))
    counter = VllmCounter([first, second], "tiny")
    assert wait(counter.messages(user("hello"))) == 7
    assert wait(counter.messages(user("hello again"))).exact
    assert (len(first.asked), len(second.asked)) == (2, 2)


def test_the_first_server_that_answers_is_enough() -> None:
    first, second = Server(counted(7)), Server(counted(8))
    assert wait(VllmCounter([first, second], "tiny").messages(user("hello"))) == 7
    assert second.asked == []


def test_a_lone_surrogate_cannot_be_sent_and_is_bounded() -> None:
    server = Server(counted(7))
    [count] = wait(VllmCounter([server], "tiny").texts(["\ud800"]))
    assert (count, count.exact, server.asked) == (3, False, [])


def test_it_is_exact_as_a_rule() -> None:
    counter = VllmCounter([Server(counted(7))], "tiny")
    assert (counter.name, counter.exact) == ("upstream", True)
