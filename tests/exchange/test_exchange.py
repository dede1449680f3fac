from __future__ import annotations

import asyncio
import time

import pytest

from gateway.errors import NotFound, Unavailable, UpstreamFailed
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


@pytest.mark.parametrize(
    ("error", "result", "code", "status"),
    [
        (None, "complete", "", 200),
        (NotFound("No.", code="model_not_found"), "refused", "model_not_found", 404),
        (asyncio.CancelledError(), "cancelled", "", 0),
        (GeneratorExit(), "cancelled", "", 0),
        (ZeroDivisionError(), "failed", "internal_error", 500),
    ],
)
def test_how_it_ended_is_noted_once(error: BaseException | None, result: str, code: str, status: int) -> None:
    exchange = Exchange("chat")
    exchange.settle(error)
    exchange.settle(asyncio.CancelledError())
    assert (exchange.result, exchange.error, exchange.status) == (result, code, status)


@pytest.mark.parametrize(
    ("error", "code", "status"), [(Unavailable("No."), "overloaded", 503), (ZeroDivisionError(), "internal_error", 500)]
)
def test_what_was_complete_fails_when_its_end_cannot_be_entered(error: Exception, code: str, status: int) -> None:
    exchange = Exchange("chat")
    exchange.settle(None)
    exchange.settle(error)
    assert (exchange.result != "complete", exchange.error, exchange.status) == (True, code, status)


def test_what_was_sent_to_an_upstream_fails_and_is_not_refused() -> None:
    exchange = Exchange("chat")
    exchange.evidence.attempt("up", "model")
    exchange.hand_over(b"data: 1\n\n")
    exchange.settle(UpstreamFailed("No.", reason="why"))
    assert (exchange.result, exchange.reason, exchange.status, exchange.handed_over) == ("failed", "why", 200, 9)


def test_a_complete_answer_whose_end_cannot_be_entered_has_failed() -> None:
    exchange = Exchange("chat")
    exchange.evidence.attempt("up", "model")
    exchange.settle(None)
    exchange.settle(asyncio.CancelledError())
    assert exchange.result == "complete"
    exchange.settle(Unavailable("No.", code="audit_unavailable"))
    assert (exchange.result, exchange.error, exchange.status) == ("failed", "audit_unavailable", 503)
