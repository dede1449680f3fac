from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Any

import orjson

from gateway.errors import UpstreamFailed
from gateway.exchange.caller import Caller
from gateway.exchange.exchange import Exchange
from gateway.prompt.contract.contract import Drift
from gateway.prompt.file.problem import Problem
from gateway.telemetry.log import open_log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.observer import MOST_PROBLEMS, PAUSE, Observer

SENTINEL = "hunter2-sentinel"


def observed(do: Callable[[Observer], None]) -> tuple[str, list[dict[str, Any]]]:
    stream = io.BytesIO()
    with open_log(stream) as log:
        observer = Observer(Metrics(), log)
        do(observer)
        rendered = asyncio.run(observer.render()).decode()
    return rendered, [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_an_exchange_is_counted_while_it_runs_and_logged_once_when_it_ends() -> None:
    exchange = Exchange("chat", caller=Caller("acme", None, "gth_a", "app"), route="chat")

    def do(observer: Observer) -> None:
        observer.started(exchange)
        assert "gatehouse_exchanges_in_flight 1.0" in asyncio.run(observer.render()).decode()
        exchange.result = "complete"
        observer.ended(exchange)

    rendered, lines = observed(do)
    assert "gatehouse_exchanges_in_flight 0.0" in rendered
    assert 'gatehouse_exchanges_total{result="complete",route="chat"} 1.0' in rendered
    [line] = lines
    assert (line["event"], line["id"], line["tenant"]) == ("exchange_ended", exchange.id, "acme")
    assert 0 <= line["duration_ms"] < 60_000


def test_a_refusal_is_counted_and_logged_by_its_code() -> None:
    rendered, [line] = observed(lambda observer: observer.refused("invalid_api_key", "an-id"))
    assert 'gatehouse_requests_refused_total{code="invalid_api_key"} 1.0' in rendered
    assert (line["event"], line["error"], line["id"]) == ("request_refused", "invalid_api_key", "an-id")


def test_a_failed_attempt_is_counted_and_logged_without_its_message() -> None:
    exchange = Exchange("chat", route="chat", upstream="vllm-a", model=SENTINEL)
    error = UpstreamFailed(SENTINEL, reason="status 500")
    rendered, [line] = observed(lambda observer: observer.upstream_failed(exchange, error))
    assert 'gatehouse_upstream_failures_total{error_type="upstream_error",gatehouse_upstream="vllm-a"} 1.0' in rendered
    assert (line["event"], line["level"], line["reason"]) == ("upstream_failed", "warning", "status 500")
    assert (line["route"], line["upstream"], line["error"]) == ("chat", "vllm-a", "upstream_error")
    assert SENTINEL not in str(line)


def test_an_answer_that_is_not_kept_for_repeats_is_counted_and_logged() -> None:
    exchange = Exchange("chat", route="chat", upstream="vllm-a", model=SENTINEL)
    rendered, [line] = observed(lambda observer: observer.unkept(exchange, "lost"))
    assert 'gatehouse_replays_unkept_total{reason="lost"} 1.0' in rendered
    assert (line["event"], line["level"], line["reason"], line["id"]) == ("replay_unkept", "warning", "lost", exchange.id)
    assert (line["route"], line["upstream"]) == ("chat", "vllm-a")
    assert SENTINEL not in str(line)


def test_a_fault_of_ours_is_counted_and_logged_without_its_text() -> None:
    rendered, [line] = observed(lambda observer: observer.internal_error(ValueError(SENTINEL), "an-id"))
    assert "gatehouse_internal_errors_total 1.0" in rendered
    assert (line["event"], line["classes"]) == ("internal_error", ["builtins.ValueError"])
    assert SENTINEL not in str(line)


def test_in_batches_every_exchange_is_logged_once_the_batch_is_full_or_old() -> None:
    async def main() -> list[int]:
        stream = io.BytesIO()
        with open_log(stream) as log:
            observer = Observer(Metrics(), log, batch=3)
            counts = []
            for _ in range(4):
                exchange = Exchange("chat", result="complete")
                observer.started(exchange)
                observer.ended(exchange)
                counts.append(len(observer._over))
            loop = asyncio.get_running_loop()
            old = loop.create_future()
            loop.call_later(PAUSE * 1.5, old.set_result, None)
            await old
            counts.append(len(observer._over))
        return [*counts, len(stream.getvalue().splitlines())]

    assert asyncio.run(main()) == [1, 2, 0, 1, 0, 4]


def test_what_waits_in_a_batch_is_counted_before_it_is_rendered() -> None:
    async def main() -> str:
        with open_log(io.BytesIO()) as log:
            observer = Observer(Metrics(), log, batch=3)
            exchange = Exchange("chat", result="complete", route="r")
            observer.started(exchange)
            observer.ended(exchange)
            return (await observer.render()).decode()

    assert 'gatehouse_exchanges_total{result="complete",route="r"} 1.0' in asyncio.run(main())


def test_refusals_are_told_to_one_more_who_asked() -> None:
    told: list[str] = []

    def do(observer: Observer) -> None:
        observer.refused("not_found")
        observer.tell_refusals(told.append)
        observer.refused("host_not_allowed")

    observed(do)
    assert told == ["host_not_allowed"]


def test_how_the_audit_log_fares_is_told_to_operators() -> None:
    def do(observer: Observer) -> None:
        observer.committed(2, 0.001)
        observer.failed("disk full")
        observer.recovered(3)
        observer.filled("warning", 81)

    rendered, lines = observed(do)
    assert "gatehouse_audit_entries_total 2.0" in rendered
    assert [(line["event"], line["level"]) for line in lines] == [
        ("audit_failed", "error"),
        ("audit_recovered", "warning"),
        ("audit_disk", "warning"),
    ]
    assert (lines[0]["reason"], lines[1]["abandoned"], lines[2]["condition"], lines[2]["percent"]) == (
        "disk full",
        3,
        "warning",
        81,
    )


def test_what_a_request_got_wrong_of_a_prompt_is_counted_each() -> None:
    drift = (Drift("ticket", "null"), Drift("", "unknown"), Drift("ticket", "null"))

    def do(observer: Observer) -> None:
        observer.prompt_drift("support/triage", drift)
        observer.control_tokens("chat", "log", 2)

    rendered, lines = observed(do)
    assert 'gatehouse_prompt_drift_total{input="ticket",kind="null",prompt="support/triage"} 2.0' in rendered
    assert 'gatehouse_prompt_drift_total{input="",kind="unknown",prompt="support/triage"} 1.0' in rendered
    assert 'gatehouse_control_tokens_total{route="chat",rule="log"} 2.0' in rendered
    assert lines == []


def test_how_prompts_and_labels_fare_is_told_to_operators() -> None:
    problem = Problem("support/triage/draft.prompty", 7, "unknown key", "error")

    def do(observer: Observer) -> None:
        observer.prompts_loaded(3, [problem] * (MOST_PROBLEMS + 1))
        observer.prompts_unwatched()
        observer.labels_stale("database")
        observer.labels_current()
        observer.labels_unseeded("audit: closed")

    _, lines = observed(do)
    loaded, first, *rest = lines
    assert (loaded["event"], loaded["versions"], loaded["problems"]) == ("prompts_loaded", 3, MOST_PROBLEMS + 1)
    assert (first["event"], first["file"], first["line"], first["problem"]) == (
        "prompt_problem",
        "support/triage/draft.prompty",
        7,
        "unknown key",
    )
    assert len(rest) == MOST_PROBLEMS - 1 + 4
    assert [line["event"] for line in rest[-4:]] == ["prompts_unwatched", "labels_stale", "labels_current", "labels_unseeded"]
