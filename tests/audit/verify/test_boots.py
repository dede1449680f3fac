"""A log begins, goes on and closes as a log does, and its times can be."""

from __future__ import annotations

import msgspec
import pytest

from gateway.audit.entry import Access, Begin, ClockStep, Close, Config, End, Entry, Genesis
from gateway.audit.verify.boots import BACK, DRIFT, UNTOLD, Boots, Finding
from tests.audit.entries import AT, abandoned, access, begin, end, exchange_id

NOW = AT + 10**12
BOOT = "0011223344556677"
ONE = exchange_id(1)
GENESIS = Genesis(at=AT, mono=0, origin="s/n-0", site="s", node="n", slot="0", software="x")
START = Config(at=AT, mono=0, boot=BOOT, node="n", software="x", reason="start")
CLOSE = Close(at=AT + 9, mono=9, boot=BOOT, open=0)


def put(entry: Entry, **changes: object) -> Entry:
    return msgspec.structs.replace(entry, **changes)


def at(entry: Entry, mono: int, *, wall: int | None = None) -> Entry:
    return put(entry, mono=mono, at=AT + (mono if wall is None else wall))


def findings(*entries: Entry, slot: str | None = "0", open_exchanges: int | None = 0) -> list[Finding]:
    boots = Boots(slot, now=NOW)
    return [found for index, entry in enumerate(entries) for found in boots.feed(index, entry, open_exchanges=open_exchanges)]


def test_a_log_that_is_what_it_should_be_gives_nothing() -> None:
    again = put(START, boot="another", clean=True)
    crashed = put(START, boot="a third", clean=False)
    entries: list[Entry] = [GENESIS, START, at(begin(ONE), 3), at(end(ONE, 2), 5), CLOSE, again, abandoned(ONE, 2), crashed]
    assert findings(*entries) == []
    assert findings(*entries, slot=None) == []


def test_a_command_s_log_has_no_boots() -> None:
    cli = Genesis(at=AT, mono=0, origin="s/n-cli", site="s", node="n", slot="cli", software="x")
    assert findings(cli, access(), put(access(), mono=1), slot="cli") == []


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([START], "does not begin with a genesis entry"),
        ([GENESIS, START, GENESIS], "a log begins within the log"),
        ([put(GENESIS, origin="s/n-1"), START], "not made of its site, node and slot"),
        ([put(GENESIS, slot="1", origin="s/n-1"), START], "the beginning of slot '1', and lies in slot '0'"),
        ([GENESIS, START, put(START, boot="b")], "there is no close entry"),
        ([GENESIS, at(begin(ONE), 3)], "before a process opened it"),
        ([GENESIS, START, CLOSE, at(end(ONE, 2), 5)], "after the log was closed"),
        ([GENESIS, START, put(CLOSE, boot="b")], f"process b closes a log that process {BOOT} had opened"),
        ([GENESIS, START, put(CLOSE, open=2)], "it tells of 2 open exchanges, and 0 are open"),
        ([GENESIS, START, at(put(begin(ONE), boot="b"), 3)], "process b begins an exchange"),
    ],
)
def test_what_is_out_of_order_is_told_once(entries: list[Entry], words: str) -> None:
    found = findings(*entries)
    assert [kind for kind, _ in found] == ["order"]
    assert words in found[0][1]


@pytest.mark.parametrize("moment", [0, 1_500_000_000_000_000, NOW + 2 * 86_400_000_000])
def test_a_time_before_there_was_a_log_or_in_the_future_is_told(moment: int) -> None:
    assert [kind for kind, _ in findings(put(GENESIS, at=moment))] == ["time"]


def test_an_entry_may_be_a_little_older_than_one_before_it_not_much() -> None:
    late = 2 * BACK
    assert findings(GENESIS, START, at(begin(ONE), late), at(end(ONE, 2), late - BACK)) == []
    found = findings(GENESIS, START, at(begin(ONE), late), at(end(ONE, 2), late - BACK - 1))
    assert found == [("time", f"it is {BACK + 1} µs older than an entry before it")]


def test_a_clock_that_was_set_is_told_of_by_an_entry() -> None:
    step = 5 * DRIFT
    told = [at(ClockStep(at=0, mono=0, step=step), 30, wall=30 + step)]
    stepped = [at(begin(exchange_id(number)), 20, wall=20 + step) for number in range(3)]
    after = [at(put(access(), mono=0), 40 + number, wall=40 + number + step) for number in range(UNTOLD + 2)]
    assert findings(GENESIS, START, *stepped, *told, *after) == []
    found = findings(GENESIS, START, *stepped, *after)
    assert [kind for kind, _ in found] == ["time"]
    assert "no entry says that one was set" in found[0][1]


def test_clocks_may_drift_a_little_and_back() -> None:
    assert findings(GENESIS, START, *(at(access(), number, wall=number + DRIFT) for number in range(UNTOLD + 5))) == []


def test_after_what_could_not_be_read_nothing_is_expected_until_the_next_boot() -> None:
    boots = Boots("0", now=NOW)
    entries: list[Entry] = [GENESIS, START]
    assert [found for index, entry in enumerate(entries) for found in boots.feed(index, entry, open_exchanges=0)] == []
    boots.lose()
    later: list[Entry] = [put(begin(ONE), boot="b", mono=1), put(CLOSE, boot="b", open=7)]
    assert [found for index, entry in enumerate(later, 5) for found in boots.feed(index, entry, open_exchanges=None)] == []


def test_every_kind_can_be_fed() -> None:
    assert {type(entry) for entry in (begin(ONE), end(ONE, 0), access())} == {Begin, End, Access}
