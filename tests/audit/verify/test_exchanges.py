"""Every exchange is one begin, its attempts and one end: what is not is said in a sentence."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from gateway.audit.entry import Entry, Tried
from gateway.audit.verify.exchanges import Exchanges
from tests.audit.entries import abandoned, attempt, begin, end, exchange_id

ONE, TWO = exchange_id(1), exchange_id(2)


def told(exchanges: Exchanges, *entries: Entry, first: int = 0) -> list[str]:
    return [detail for index, entry in enumerate(entries, first) for detail in exchanges.feed(index, entry)]


def findings(*entries: Entry) -> list[str]:
    return told(Exchanges(), *entries)


def number(entry: Entry, **changes: object) -> Entry:
    return msgspec.structs.replace(entry, **changes)


def test_exchanges_that_are_what_they_should_be_give_nothing() -> None:
    exchanges = Exchanges()
    second = attempt(ONE, 0)
    twice = number(end(ONE, 0), attempts=[Tried(upstream="a", model="b", us=1)] * 2, attempts_total=2)
    assert told(exchanges, begin(ONE), begin(TWO), second, abandoned(TWO, 1), twice) == []
    assert (exchanges.begun, exchanges.open, exchanges.unended()) == (2, {}, [])


def test_what_is_open_is_told_with_its_begin() -> None:
    exchanges = Exchanges()
    assert told(exchanges, begin(ONE), begin(TWO), end(ONE, 0)) == []
    assert exchanges.open == {TWO: 1}
    assert exchanges.unended() == [(TWO, 1)]
    assert not exchanges.doubtful


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([begin(ONE), begin(ONE)], "begins again, having begun at entry 0"),
        ([end(ONE, 0)], "no exchange of that id is open"),
        ([begin(ONE), end(ONE, 0), end(ONE, 0)], "no exchange of that id is open"),
        ([begin(ONE), end(ONE, 0), abandoned(ONE, 0)], "has ended already"),
        ([begin(ONE), end(ONE, 7)], "said to be entry 7, and is entry 0"),
        ([begin(ONE), abandoned(ONE, 7)], "said to be entry 7, and is entry 0"),
        ([begin(ONE), attempt(TWO, 0)], "no exchange of that id is open"),
        ([begin(ONE), attempt(ONE, 0), attempt(ONE, 0)], "attempt 2 comes where attempt 3 should"),
        ([begin(ONE), number(attempt(ONE, 0), number=3)], "attempt 3 comes where attempt 2 should"),
        ([begin(ONE), number(end(ONE, 0), mono=6)], "ends 1 µs before it began"),
        ([begin(ONE), number(end(ONE, 0), attempts_total=2)], "1 attempts stand there, 2 are counted"),
        ([begin(ONE), number(end(ONE, 0), attempts_total=0)], "1 attempts stand there, 0 are counted"),
        ([begin(ONE), number(end(ONE, 0), finish_reasons_total=0)], "1 finish reasons stand there, 0 are counted"),
    ],
)
def test_what_does_not_fit_is_told(entries: Iterable[Entry], words: str) -> None:
    assert [words in detail for detail in findings(*entries)].count(True) == 1


def test_a_dispatch_that_was_not_entered_before_it_was_sent_is_told() -> None:
    twice = number(end(ONE, 0), attempts=[Tried(upstream="a", model="b", us=1)] * 2, attempts_total=2)
    assert findings(begin(ONE), twice) == ["2 dispatches, of which 1 were entered before they were sent"]


def test_a_list_that_is_full_may_count_more_than_it_holds() -> None:
    many = number(end(ONE, 0), finish_reasons=["stop"] * 64, finish_reasons_total=100)
    assert findings(begin(ONE), many) == []


def test_what_could_not_be_read_is_not_held_against_what_depends_on_it() -> None:
    exchanges = Exchanges()
    assert told(exchanges, begin(ONE)) == []
    exchanges.lose(range(1, 4))
    assert exchanges.doubtful
    assert exchanges.unended() == []  # its end may have been there
    lost_begin: list[Entry] = [end(TWO, 2), attempt(exchange_id(3), 1), abandoned(exchange_id(4), 3)]
    assert told(exchanges, *lost_begin, first=4) == []
    assert len(told(exchanges, end(exchange_id(5), 6), first=7)) == 1
    twice = number(end(ONE, 0), attempts=[Tried(upstream="a", model="b", us=1)] * 2, attempts_total=2)
    assert told(exchanges, number(attempt(ONE, 0), number=3), twice, first=8) == []
    assert told(exchanges, begin(TWO), first=10) == []
    assert exchanges.unended() == [(TWO, 10)]
