from __future__ import annotations

import time

import pytest

from gateway.exchange.exchange import Exchange


def test_an_exchange_begins_running_with_an_id_of_its_own() -> None:
    first, second = Exchange("chat"), Exchange("chat")
    assert first.id != second.id
    assert first.result == "running"
    assert first.caller is None
    assert first.usage is None


def test_marks_are_in_the_order_and_on_the_clock_of_the_start() -> None:
    before = time.perf_counter_ns()
    exchange = Exchange("chat")
    exchange.mark("caller")
    exchange.mark("route")
    after = time.perf_counter_ns()
    assert [step for step, _ in exchange.marks] == ["caller", "route"]
    times = [before, exchange.started, *(at for _, at in exchange.marks), after]
    assert times == sorted(times)


def test_exchanges_do_not_share_their_marks() -> None:
    Exchange("chat").mark("caller")
    assert Exchange("chat").marks == []


def test_a_field_that_is_not_there_cannot_be_set() -> None:
    exchange = Exchange("chat")
    with pytest.raises(AttributeError):
        exchange.uspage = None  # type: ignore[attr-defined]
