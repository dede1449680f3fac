"""Counts are remembered by digest, the latest ones, in a bounded space."""

from gateway.tokens.cache import ENTRY_BYTES, CountCache, digest
from gateway.tokens.contract import Count


def count(tokens: int) -> Count:
    return Count(tokens, exact=True)


def test_what_was_put_is_found() -> None:
    cache = CountCache()
    cache.put(digest(b"a"), count(3))
    assert cache.get(digest(b"a")) == 3
    assert cache.get(digest(b"b")) is None


def test_the_one_that_was_not_asked_for_the_longest_is_forgotten() -> None:
    cache = CountCache(2 * ENTRY_BYTES)
    cache.put(b"a", count(1))
    cache.put(b"b", count(2))
    assert cache.get(b"a") == 1
    cache.put(b"c", count(3))
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == (1, None, 3)


def test_it_never_holds_more_than_its_space() -> None:
    cache = CountCache(10 * ENTRY_BYTES)
    for number in range(1000):
        cache.put(digest(str(number).encode()), count(number))
    assert len(cache) == 10


def test_what_is_put_again_takes_no_second_place() -> None:
    cache = CountCache(2 * ENTRY_BYTES)
    cache.put(b"a", count(1))
    cache.put(b"b", count(1))
    cache.put(b"a", count(5))
    assert (cache.get(b"a"), cache.get(b"b")) == (5, 1)


def test_different_texts_have_different_digests() -> None:
    assert digest(b"a") != digest(b"b")
    assert len(digest(b"a" * 1000)) == 16
