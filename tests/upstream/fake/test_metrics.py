"""The fake's metrics parse as Prometheus' text form and carry vLLM's names."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.upstream.fake.ledger import Ledger
from gateway.upstream.fake.metrics import exposition


def test_counts_are_told_under_vllms_names() -> None:
    ledger = Ledger()
    with ledger.open("1", "/", headers={}, body=b"") as served:
        served.began(7, "stop")
        served.made(3)
        served.end("complete")
    ledger.open("2", "/", headers={}, body=b"")
    families = text_string_to_metric_families(exposition(ledger).decode())
    values = {sample.name: sample.value for family in families for sample in family.samples}
    assert values == {
        "vllm:num_requests_running": 1,
        "vllm:num_requests_waiting": 0,
        "vllm:kv_cache_usage_perc": 0,
        "vllm:prompt_tokens_total": 7,
        "vllm:generation_tokens_total": 3,
        "vllm:request_success_total": 1,
    }
