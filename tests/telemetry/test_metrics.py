from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.exchange.exchange import Exchange
from gateway.exchange.usage import Usage
from gateway.telemetry.metrics import SHARED_FOLDER, Metrics

SECOND = 1_000_000_000
PLACE = {"gen_ai_operation_name": "chat", "gen_ai_request_model": "chat-default", "gatehouse_upstream": "vllm-a"}


def finished(**values: Any) -> Exchange:
    exchange = Exchange("chat", started=SECOND)
    exchange.route, exchange.upstream, exchange.result = "chat-default", "vllm-a", "complete"
    for name, value in values.items():
        setattr(exchange, name, value)
    return exchange


def count(metrics: Metrics, *exchanges: Exchange) -> None:
    for exchange in exchanges:
        metrics.started()
        metrics.ended(exchange, 3 * SECOND)


def samples(rendered: bytes, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(rendered.decode())
        for sample in family.samples
        if sample.name == name
    }


def value(rendered: bytes, name: str, **labels: str) -> float:
    return samples(rendered, name)[tuple(sorted(labels.items()))]


def test_the_names_are_those_that_dashboards_rely_on() -> None:
    families = {family.name: family.type for family in text_string_to_metric_families(Metrics().render().decode())}
    assert families == {
        "gen_ai_server_request_duration_seconds": "histogram",
        "gen_ai_server_time_to_first_token_seconds": "histogram",
        "gen_ai_client_token_usage": "histogram",
        "gatehouse_exchanges": "counter",
        "gatehouse_requests_refused": "counter",
        "gatehouse_upstream_failures": "counter",
        "gatehouse_replays_unkept": "counter",
        "gatehouse_prompt_drift": "counter",
        "gatehouse_control_tokens": "counter",
        "gatehouse_internal_errors": "counter",
        "gatehouse_client_disconnects": "counter",
        "gatehouse_exchanges_in_flight": "gauge",
        "gatehouse_audit_entries": "counter",
        "gatehouse_audit_commit_seconds": "histogram",
    }


def test_the_audit_log_s_batches_are_counted_and_timed() -> None:
    metrics = Metrics()
    metrics.committed(3, 0.002)
    metrics.committed(2, 0.004)
    rendered = metrics.render()
    assert value(rendered, "gatehouse_audit_entries_total") == 5
    assert value(rendered, "gatehouse_audit_commit_seconds_count") == 2


def test_an_exchange_is_counted_with_its_duration_and_tokens() -> None:
    metrics = Metrics()
    count(metrics, finished(usage=Usage(800, 150)), finished(usage=Usage(200, 50)))
    rendered = metrics.render()
    duration = "gen_ai_server_request_duration_seconds"
    assert value(rendered, f"{duration}_count", **PLACE, error_type="") == 2
    assert value(rendered, f"{duration}_sum", **PLACE, error_type="") == pytest.approx(4.0)
    assert value(rendered, f"{duration}_bucket", **PLACE, error_type="", le="1.28") == 0
    assert value(rendered, f"{duration}_bucket", **PLACE, error_type="", le="2.56") == 2
    assert value(rendered, "gen_ai_client_token_usage_sum", **PLACE, gen_ai_token_type="input") == 1000
    assert value(rendered, "gen_ai_client_token_usage_sum", **PLACE, gen_ai_token_type="output") == 200
    assert value(rendered, "gatehouse_exchanges_total", route="chat-default", result="complete") == 2


def test_buckets_are_those_of_the_conventions() -> None:
    metrics = Metrics()
    count(metrics, finished(usage=Usage(1, 1), stream=True, marks=[("first_byte", 2 * SECOND)]))
    rendered = metrics.render()

    def buckets(name: str) -> list[float]:
        found = samples(rendered, f"{name}_bucket")
        return sorted({float(dict(labels)["le"]) for labels in found})

    assert buckets("gen_ai_server_request_duration_seconds")[:3] == [0.01, 0.02, 0.04]
    assert buckets("gen_ai_server_time_to_first_token_seconds")[:3] == [0.001, 0.005, 0.01]
    assert buckets("gen_ai_client_token_usage")[-2:] == [67108864.0, float("inf")]


@pytest.mark.parametrize(
    ("values", "counted"),
    [
        ({"stream": True}, 1),
        ({"stream": False}, 0),
        ({"stream": True, "result": "failed"}, 0),
        ({"stream": True, "result": "cancelled"}, 0),
        ({"stream": True, "marks": []}, 0),
    ],
)
def test_the_time_to_the_first_token_is_that_of_complete_streams(values: dict[str, Any], counted: int) -> None:
    metrics = Metrics()
    count(metrics, finished(**{"marks": [("first_byte", SECOND + SECOND // 2)], **values}))
    name = "gen_ai_server_time_to_first_token_seconds"
    found = samples(metrics.render(), f"{name}_sum")
    assert list(found.values()) == pytest.approx([0.5] * counted)


def test_an_error_is_counted_under_its_code_and_a_client_that_left_under_cancelled() -> None:
    metrics = Metrics()
    count(metrics, finished(result="failed", error="upstream_error"), finished(result="cancelled"))
    rendered = metrics.render()
    duration = "gen_ai_server_request_duration_seconds_count"
    assert value(rendered, duration, **PLACE, error_type="upstream_error") == 1
    assert value(rendered, duration, **PLACE, error_type="cancelled") == 1
    assert value(rendered, "gatehouse_client_disconnects_total") == 1
    assert value(rendered, "gatehouse_exchanges_total", route="chat-default", result="failed") == 1


def test_a_replayed_answer_uses_no_tokens_again() -> None:
    metrics = Metrics()
    count(metrics, finished(usage=Usage(800, 150), replayed=True))
    assert samples(metrics.render(), "gen_ai_client_token_usage_sum") == {}


def test_what_runs_is_in_flight_until_it_ends() -> None:
    metrics = Metrics()
    metrics.started()
    metrics.started()
    assert value(metrics.render(), "gatehouse_exchanges_in_flight") == 2
    metrics.ended(finished(), 3 * SECOND)
    assert value(metrics.render(), "gatehouse_exchanges_in_flight") == 1


def test_an_upstream_that_reports_nonsense_does_not_keep_an_exchange_from_ending() -> None:
    metrics = Metrics()
    count(metrics, finished(usage=Usage(10**400, 1)))
    assert value(metrics.render(), "gatehouse_exchanges_total", route="chat-default", result="complete") == 1


def test_refusals_failures_and_faults_are_counted() -> None:
    metrics = Metrics()
    metrics.refused("invalid_api_key")
    metrics.refused("invalid_api_key")
    metrics.upstream_failed("vllm-a", "upstream_timeout")
    metrics.unkept("unavailable")
    metrics.internal_error()
    rendered = metrics.render()
    assert value(rendered, "gatehouse_requests_refused_total", code="invalid_api_key") == 2
    assert value(rendered, "gatehouse_upstream_failures_total", gatehouse_upstream="vllm-a", error_type="upstream_timeout") == 1
    assert value(rendered, "gatehouse_replays_unkept_total", reason="unavailable") == 1
    assert value(rendered, "gatehouse_internal_errors_total") == 1


def test_a_metric_has_no_more_sets_of_labels_than_allowed() -> None:
    metrics = Metrics(label_sets=5)
    exchanges = [
        finished(route=f"route-{number}", stream=True, usage=Usage(1, 1), marks=[("first_byte", 2 * SECOND)])
        for number in range(50)
    ]
    count(metrics, *exchanges, *exchanges)
    for number in range(50):
        metrics.refused(f"code-{number}")
        metrics.upstream_failed(f"upstream-{number}", "x")
    rendered = metrics.render()
    for name in (
        "gen_ai_server_request_duration_seconds",
        "gen_ai_server_time_to_first_token_seconds",
        "gen_ai_client_token_usage",
    ):
        found = samples(rendered, f"{name}_count")
        assert len(found) == 5
        assert sum(found.values()) == (200 if name == "gen_ai_client_token_usage" else 100)
    exchanges_by_route = samples(rendered, "gatehouse_exchanges_total")
    assert len(exchanges_by_route) == 5
    assert exchanges_by_route[("result", "other"), ("route", "other")] == 92
    assert len(samples(rendered, "gatehouse_requests_refused_total")) == 5
    assert len(samples(rendered, "gatehouse_upstream_failures_total")) == 5
    assert len(metrics._ends) == 20


def test_no_times_of_creation_double_the_page() -> None:
    metrics = Metrics()
    count(metrics, finished(usage=Usage(1, 1)))
    assert b"_created" not in metrics.render()


def test_a_variable_that_was_set_after_the_import_shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SHARED_FOLDER, "/nowhere")
    metrics = Metrics()
    metrics.internal_error()
    assert value(metrics.render(), "gatehouse_internal_errors_total") == 1


WORKER = """
import sys, os
from gateway.exchange.exchange import Exchange
from gateway.exchange.usage import Usage
from gateway.telemetry.metrics import Metrics
metrics = Metrics()
for number in range(int(sys.argv[1])):
    exchange = Exchange("chat", started=0, route="chat", upstream="a", result="complete", usage=Usage(100, 10))
    metrics.started()
    metrics.ended(exchange, 1_000_000_000)
for _ in range(int(sys.argv[2])):
    metrics.started()
sys.stdout.buffer.write(metrics.render())
sys.stdout.flush()
sys.stdin.read()
"""


def worker(folder: Path, ended: int, running: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(ended), str(running)],
        env={**os.environ, SHARED_FOLDER: str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def wait_until_rendered(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b"gatehouse_exchanges_in_flight "):
            return
    pytest.fail("a worker ended before it had rendered")


def test_any_worker_renders_the_sum_of_all_also_of_those_that_were_killed(tmp_path: Path) -> None:
    alive, killed = worker(tmp_path, 3, 1), worker(tmp_path, 4, 2)
    try:
        wait_until_rendered(alive)
        wait_until_rendered(killed)
        killed.kill()
        killed.wait()
        last = worker(tmp_path, 5, 0)
        rendered, _ = last.communicate(b"")
    finally:
        for process in (alive, killed):
            process.kill()
            process.communicate()
    place = {"gen_ai_operation_name": "chat", "gen_ai_request_model": "chat", "gatehouse_upstream": "a"}
    duration = "gen_ai_server_request_duration_seconds"
    assert value(rendered, f"{duration}_count", **place, error_type="") == 12
    assert value(rendered, f"{duration}_sum", **place, error_type="") == pytest.approx(12.0)
    assert value(rendered, f"{duration}_bucket", **place, error_type="", le="1.28") == 12
    assert value(rendered, "gen_ai_client_token_usage_sum", **place, gen_ai_token_type="input") == 1200
    assert value(rendered, "gatehouse_exchanges_total", route="chat", result="complete") == 12
    assert value(rendered, "gatehouse_exchanges_in_flight") == 1


def test_what_callers_of_prompts_get_wrong_is_counted_by_prompt_input_and_kind() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.prompt_drift("support/triage", "ticket", "null")
    metrics.control_tokens("chat", "neutralise", 3)
    rendered = metrics.render()
    drift = {"prompt": "support/triage", "input": "ticket", "kind": "null"}
    assert value(rendered, "gatehouse_prompt_drift_total", **drift) == 2
    assert value(rendered, "gatehouse_control_tokens_total", route="chat", rule="neutralise") == 3
