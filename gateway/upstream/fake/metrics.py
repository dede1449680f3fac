"""The fake's metrics under the names that vLLM uses, in Prometheus' text form."""

from __future__ import annotations

from gateway.upstream.fake.ledger import Ledger


def exposition(ledger: Ledger) -> bytes:
    """Return the gauges and counters that a balancer or a dashboard reads from vLLM."""
    totals = ledger.totals
    gauges = {"vllm:num_requests_running": totals.running, "vllm:num_requests_waiting": 0, "vllm:kv_cache_usage_perc": 0}
    counters = {
        "vllm:prompt_tokens_total": totals.prompt_tokens,
        "vllm:generation_tokens_total": totals.completion_tokens,
    }
    lines: list[str] = []
    for kind, values in (("gauge", gauges), ("counter", counters)):
        for name, value in values.items():
            lines += (f"# TYPE {name.removesuffix('_total')} {kind}", f'{name}{{engine="0",model_name="fake"}} {value}')
    lines.append("# TYPE vllm:request_success counter")
    lines += (
        f'vllm:request_success_total{{engine="0",finished_reason="{reason}",model_name="fake"}} {count}'
        for reason, count in sorted(totals.finishes.items())
    )
    return ("\n".join(lines) + "\n").encode()
