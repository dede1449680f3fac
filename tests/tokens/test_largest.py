"""Of counters that differ, the largest count."""

import asyncio

from gateway.tokens.bound import BoundCounter, bound
from gateway.tokens.fake import FakeCounter
from gateway.tokens.largest import Largest
from tests.tokens.samples import TOOL, tools, user


def test_the_largest_counts() -> None:
    counter = Largest([FakeCounter(), BoundCounter()])
    count = asyncio.run(counter.messages(user("hello"), tools=tools(TOOL)))
    assert (count, count.exact) == (bound(user("hello"), tools(TOOL)), False)
    assert asyncio.run(counter.texts(["12345678", ""])) == [8, 0]
    assert (counter.name, counter.exact) == ("fake, bound", False)


def test_where_all_agree_the_count_is_exact() -> None:
    assert asyncio.run(Largest([FakeCounter(), FakeCounter()]).messages(user("hello"))).exact
