"""A tokenizer on this machine: loaded once, in a thread, and never the reason why a request fails."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.tokens.bound import text_bound
from gateway.tokens.cache import LONGEST, SHORTEST, CountCache
from gateway.tokens.contract import INLINE_CHARS
from gateway.tokens.slices import SLICE_CHARS, STRETCH_CHARS
from gateway.tokens.tokenizer import INLINE_TEXTS, Encode, Tokenizer, TokenizerUnavailable


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Words:
    """Counts words, and notes what it was asked, and in which thread."""

    def __init__(self) -> None:
        self.loaded: list[threading.Thread] = []
        self.asked: list[str] = []
        self.threads: set[threading.Thread] = set()

    def load(self) -> Encode:
        self.loaded.append(threading.current_thread())
        return self.encode

    def encode(self, text: str) -> int:
        text.encode()
        self.asked.append(text)
        self.threads.add(threading.current_thread())
        return len(text.split(" "))


def refusing(error: Exception) -> Callable[[], Encode]:
    def load() -> Encode:
        raise error

    return load


def test_it_counts_in_order(threads: ThreadPoolExecutor) -> None:
    counts = asyncio.run(Tokenizer("words", Words().load, threads=threads).counts(["a b c", "a", "a b"]))
    assert counts == [3, 1, 2]
    assert all(count.exact for count in counts)


def test_it_is_loaded_once_and_in_a_thread(threads: ThreadPoolExecutor) -> None:
    words = Words()
    tokenizer = Tokenizer("words", words.load, threads=threads)

    async def ask() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(tokenizer.counts(["a b"]))

    assert words.loaded == []
    asyncio.run(ask())
    asyncio.run(ask())
    assert len(words.loaded) == 1
    assert words.loaded[0] is not threading.current_thread()


@pytest.mark.parametrize("queued", [False, True])
def test_who_stops_waiting_does_not_stop_the_loading(queued: bool) -> None:
    words, begun, go = Words(), threading.Event(), threading.Event()

    def busy() -> Encode:
        begun.set()
        go.wait(10)
        return words.load()

    async def scene() -> list[int]:
        with ThreadPoolExecutor(1) as threads:
            if queued:
                threads.submit(busy)
            tokenizer = Tokenizer("words", words.load if queued else busy, threads=threads)
            impatient = asyncio.Task(tokenizer.counts(["a"]))
            await asyncio.to_thread(begun.wait, 10)
            impatient.cancel()
            await asyncio.wait((impatient,))
            assert impatient.cancelled()
            go.set()
            return list(await tokenizer.counts(["a b"]))

    assert asyncio.run(scene()) == [2]
    assert len(words.loaded) == 1 + queued


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (TokenizerUnavailable("no table. Bring one"), "no table. Bring one"),
        (MemoryError(), "words could not be loaded (MemoryError)"),
    ],
)
def test_where_it_cannot_be_loaded_texts_are_bounded(error: Exception, problem: str, threads: ThreadPoolExecutor) -> None:
    tokenizer = Tokenizer("words", refusing(error), threads=threads)
    assert tokenizer.problem == ""
    assert not asyncio.run(tokenizer.usable())
    assert tokenizer.problem == problem
    for text in ("Gr\u00fc\u00dfe", "x" * 2 * INLINE_CHARS):
        [count] = asyncio.run(tokenizer.counts([text]))
        assert (count, count.exact) == (text_bound(text), False)


def test_where_it_can_be_loaded_there_is_no_problem(threads: ThreadPoolExecutor) -> None:
    tokenizer = Tokenizer("words", Words().load, threads=threads)
    assert asyncio.run(tokenizer.usable())
    assert tokenizer.problem == ""


@pytest.mark.parametrize(
    ("texts", "elsewhere"),
    [
        (["a" * INLINE_CHARS], False),
        (["a" * INLINE_CHARS, "a"], True),
        (["a"] * INLINE_TEXTS, False),
        (["a"] * (INLINE_TEXTS + 1), True),
    ],
)
def test_much_text_is_counted_in_a_thread(texts: list[str], elsewhere: bool, threads: ThreadPoolExecutor) -> None:
    words = Words()
    asyncio.run(Tokenizer("words", words.load, threads=threads).counts(texts))
    assert (threading.current_thread() not in words.threads) == elsewhere


@pytest.mark.parametrize(("length", "times"), [(SHORTEST - 1, 2), (SHORTEST, 1), (LONGEST, 1), (LONGEST + 1, 2)])
def test_a_text_is_counted_once_unless_it_is_very_short_or_long(length: int, times: int, threads: ThreadPoolExecutor) -> None:
    words = Words()
    tokenizer = Tokenizer("words", words.load, threads=threads)
    text = ("ab " * length)[:length]
    first, second = (asyncio.run(tokenizer.counts([text])) for _ in range(2))
    assert first == second
    assert sum(map(len, words.asked)) == times * length


def test_counts_share_the_given_cache(threads: ThreadPoolExecutor) -> None:
    words, cache = Words(), CountCache()
    for _ in range(2):
        asyncio.run(Tokenizer("words", words.load, threads=threads, cache=cache).counts(["word " * 20]))
    assert len(words.asked) == 1


def test_a_lone_surrogate_is_one_character(threads: ThreadPoolExecutor) -> None:
    words = Words()
    [count] = asyncio.run(Tokenizer("words", words.load, threads=threads).counts(["a \ud800 b"]))
    assert (count, count.exact, words.asked) == (3, True, ["a \ufffd b"])


@pytest.mark.parametrize("parts_exact", [True, False])
def test_a_long_text_is_counted_in_parts(parts_exact: bool, threads: ThreadPoolExecutor) -> None:
    words = Words()
    tokenizer = Tokenizer("words", words.load, threads=threads, parts_exact=parts_exact)
    [count] = asyncio.run(tokenizer.counts(["word " * SLICE_CHARS]))
    assert count.exact == parts_exact
    assert len(words.asked) > 5
    assert max(map(len, words.asked)) < STRETCH_CHARS


def test_a_stretch_that_must_not_be_counted_is_bounded(threads: ThreadPoolExecutor) -> None:
    words = Words()
    [count] = asyncio.run(Tokenizer("words", words.load, threads=threads).counts([" " * 1_000_000]))
    assert (count, count.exact, words.asked) == (1_000_000, False, [])
