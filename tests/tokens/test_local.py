"""Counts by a tokenizer here, with what stands around the texts."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.tokens.bound import bound
from gateway.tokens.contract import INLINE_CHARS
from gateway.tokens.frame import BOUND_FRAME, OPENAI_FRAME, Frame
from gateway.tokens.local import LocalCounter
from gateway.tokens.tokenizer import Encode, Tokenizer, TokenizerUnavailable
from tests.tokens.samples import CALL, TOOL, messages, said, tools, user


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def words() -> Encode:
    return lambda text: len(text.split())


def missing() -> Encode:
    raise TokenizerUnavailable("no table")


def counter(threads: ThreadPoolExecutor, frame: Frame = OPENAI_FRAME) -> LocalCounter:
    return LocalCounter(Tokenizer("words", words, threads=threads), frame)


def test_plain_messages_are_counted_with_their_frame(threads: ThreadPoolExecutor) -> None:
    count = asyncio.run(counter(threads).messages(messages(said("system", "be brief"), said("user", "a b c", name="d"))))
    assert (count, count.exact) == (2 + 3 + 1 + 3 + 2 * 4 + 1, True)


def test_texts_are_counted_alone(threads: ThreadPoolExecutor) -> None:
    assert asyncio.run(counter(threads).texts(["a b", ""])) == [2, 0]


def test_a_frame_that_is_not_known_is_bounded(threads: ThreadPoolExecutor) -> None:
    unsure = counter(threads, BOUND_FRAME)
    count = asyncio.run(unsure.messages(user("a b")))
    assert (count, count.exact, unsure.exact) == (2 + 128 + 16, False, False)


def test_calls_and_tools_are_not_exact(threads: ThreadPoolExecutor) -> None:
    called = messages(said("user", "a"), said("assistant", None, tool_calls=[CALL]), said("tool", "b", tool_call_id="c1"))
    assert not asyncio.run(counter(threads).messages(called)).exact
    with_tools = asyncio.run(counter(threads).messages(user("a"), tools=tools(TOOL)))
    assert not with_tools.exact
    assert with_tools > asyncio.run(counter(threads).messages(user("a")))


def test_long_json_is_counted_as_it_may_be_written(threads: ThreadPoolExecutor) -> None:
    def calling(arguments: str) -> int:
        call = {**CALL, "function": {"name": "f", "arguments": arguments}}
        return asyncio.run(
            counter(threads).messages(
                messages(said("user", "a"), said("assistant", None, tool_calls=[call]), said("tool", "b", tool_call_id="c1"))
            )
        )

    assert calling("[" + "1," * INLINE_CHARS + "1]") == calling("[1]") + INLINE_CHARS


def test_what_the_tokenizer_did_not_count_makes_the_prompt_inexact(threads: ThreadPoolExecutor) -> None:
    assert not asyncio.run(counter(threads).messages(user(" " * 1_000_000))).exact


def test_it_tells_what_it_counts_by(threads: ThreadPoolExecutor) -> None:
    assert (counter(threads).name, counter(threads).exact) == ("words", True)


def test_it_bounds_where_the_tokenizer_is_missing(threads: ThreadPoolExecutor) -> None:
    broken = LocalCounter(Tokenizer("words", missing, threads=threads), OPENAI_FRAME)
    count = asyncio.run(broken.messages(user("a b"), tools=tools(TOOL)))
    assert (count, count.exact) == (bound(user("a b"), tools(TOOL)), False)
    [text] = asyncio.run(broken.texts(["a b"]))
    assert (text, text.exact) == (3, False)
    assert (broken.name, broken.exact) == ("bound", False)
