"""There are never more tokens than the bound says, in any alphabet."""

import asyncio
import threading
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.bound import NORMALISED_CHARS, BoundCounter, bound, json_bound, slow, text_bound
from gateway.tokens.contract import INLINE_CHARS
from tests.tokens.samples import CALL, TOOL, messages, said, tools, user

MUSIC = "\U0001d160"
"""A note: 4 bytes, in NFC 12."""


def utf8(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


@given(st.text())
def test_the_bound_is_the_bytes_of_the_text_as_it_is_or_normalised(text: str) -> None:
    assert text_bound(text) == max(utf8(text), utf8(unicodedata.normalize("NFC", text)))


@given(st.text(st.characters(categories=["Cs", "Lo"]), min_size=1))
def test_lone_surrogates_are_three_bytes_each(text: str) -> None:
    assert text_bound(text) >= 2 * len(text)


@pytest.mark.parametrize(
    "text", ["plain", "Gr\u00fc\u00dfe", "\u4e2d\u6587", "\u0645\u0631\u062d\u0628\u0627", "\U0001f600", "e\u0301"]
)
def test_a_long_text_is_bounded_as_its_parts_are(text: str) -> None:
    times = 3 * NORMALISED_CHARS // len(text)
    assert text_bound(text * times) == text_bound(text) * times


def test_a_long_text_that_normalisation_lengthens_is_bounded_by_its_normal_form() -> None:
    assert text_bound(MUSIC * 20_000) == 12 * 20_000


def test_json_is_bounded_as_a_template_writes_it_anew() -> None:
    assert json_bound("[1,2]") == len("[1, 2]")


def test_messages_cost_more_than_their_texts() -> None:
    assert bound(user("hello")) > text_bound("hello")
    assert bound(messages(said("user", "a"), said("user", "b"))) > bound(user("ab"))


def test_calls_and_tools_cost() -> None:
    with_call = messages(said("user", "a"), said("assistant", None, tool_calls=[CALL]), said("tool", "b", tool_call_id="c1"))
    without = messages(said("user", "a"), said("assistant", ""), said("user", "b"))
    assert bound(with_call) > bound(without) + len(CALL["id"])
    assert bound(without, tools(TOOL)) > bound(without)


@pytest.mark.parametrize("text", ["short", MUSIC * 20_000])
def test_the_counter_says_that_it_bounds(text: str) -> None:
    counter = BoundCounter()
    [alone] = asyncio.run(counter.texts([text]))
    whole = asyncio.run(counter.messages(user(text)))
    assert (alone, alone.exact) == (text_bound(text), False)
    assert (whole, whole.exact) == (bound(user(text)), False)
    assert (counter.name, counter.exact) == ("bound", False)


def test_long_arguments_of_calls_are_bounded_too() -> None:
    call = {**CALL, "function": {"name": "f", "arguments": "[" + "1," * 20_000 + "1]"}}
    given_messages = messages(said("user", "a"), said("assistant", None, tool_calls=[call]), said("tool", "b", tool_call_id="c1"))
    assert asyncio.run(BoundCounter().messages(given_messages)) == bound(given_messages)


def test_only_a_long_text_beyond_ascii_needs_a_thread() -> None:
    assert not slow(["a" * 10 * INLINE_CHARS])
    assert not slow(["\u4e2d" * INLINE_CHARS])
    assert slow(["\u4e2d" * INLINE_CHARS, "\u4e2d"])


def test_a_long_text_leaves_the_event_loop_free() -> None:
    async def count() -> int:
        loop, turns = asyncio.get_running_loop(), 0
        done = threading.Event()

        def turn() -> None:
            nonlocal turns
            turns += 1
            if not done.is_set():
                loop.call_soon(turn)

        loop.call_soon(turn)
        await BoundCounter().texts([MUSIC * 100_000])
        done.set()
        return turns

    assert asyncio.run(count()) > 3
