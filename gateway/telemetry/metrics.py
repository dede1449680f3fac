"""What Prometheus scrapes: counts and durations of exchanges.

Names with `gen_ai` are those of OpenTelemetry's semantic conventions for generative AI, written as Prometheus writes them
(`gen_ai.server.request.duration` in seconds is `gen_ai_server_request_duration_seconds`), with their bucket boundaries. The
model is the route's public name: what the caller asked for, once it is known to exist.

Invariants
- A metric has at most 1,000 sets of labels in a process; what comes later counts as `other` in every label.
- Label values come from gateway.toml and from our own lists of codes, never from a request.
- With PROMETHEUS_MULTIPROC_DIR set before the import, `render` in any worker sums over all workers, also those that ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import values as library
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from gateway.exchange.exchange import Exchange
from gateway.telemetry.capped import LABEL_SETS, Capped, Remembered
from gateway.telemetry.timing import NANOSECONDS, first_byte

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the workers' common folder, which is empty when the first of them starts."""

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_SECONDS_TO_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_TOKENS = tuple(float(4**power) for power in range(14))

_PLACE = ("gen_ai_operation_name", "gen_ai_request_model", "gatehouse_upstream")

Record = Callable[[float], None]
Place = tuple[str, str, str]
"""Operation, route and upstream of an exchange."""


class Metrics:
    """Counts exchanges. All methods but `render` belong to one thread."""

    def __init__(self, label_sets: int = LABEL_SETS) -> None:
        self._registry = CollectorRegistry()
        self._label_sets = label_sets
        self._durations = self._histogram(
            "gen_ai_server_request_duration_seconds",
            "Seconds from the request to the end of its answer.",
            (*_PLACE, "error_type"),
            buckets=_SECONDS,
        )
        self._first_bytes = self._histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Seconds from the request to the upstream's first byte, of streams that ended complete.",
            _PLACE,
            buckets=_SECONDS_TO_FIRST,
        )
        self._tokens = self._histogram(
            "gen_ai_client_token_usage", "Tokens of an exchange.", (*_PLACE, "gen_ai_token_type"), buckets=_TOKENS
        )
        self._exchanges = self._counter("gatehouse_exchanges_total", "Exchanges that ended.", ("route", "result"))
        self._refused = self._counter("gatehouse_requests_refused_total", "Requests refused by the edge.", ("code",))
        self._failures = self._counter(
            "gatehouse_upstream_failures_total", "Failed attempts at upstreams.", ("gatehouse_upstream", "error_type")
        )
        self._unkept = self._counter(
            "gatehouse_replays_unkept_total", "Answers that could not be kept for repeats with their key.", ("reason",)
        )
        self._drift = self._counter(
            "gatehouse_prompt_drift_total", "Variables that differed from a prompt's contract.", ("prompt", "input", "kind")
        )
        self._controls = self._counter(
            "gatehouse_control_tokens_total", "Control tokens of chat templates in what callers sent.", ("route", "rule")
        )
        self._errors = self._count("gatehouse_internal_errors_total", "Faults of our own.")
        self._committed = self._count("gatehouse_audit_entries_total", "Entries that are durable.")
        self._commits = Histogram(
            "gatehouse_audit_commit_seconds",
            "Seconds that a batch of entries took.",
            buckets=_SECONDS_TO_FIRST,
            registry=self._registry,
        )
        self._gone = self._count("gatehouse_client_disconnects_total", "Exchanges whose client left before the end.")
        self._in_flight = Gauge(
            "gatehouse_exchanges_in_flight", "Exchanges that run.", registry=self._registry, multiprocess_mode="livesum"
        )
        # Children are bound once for each kind of exchange: looking them up by labels costs more than all else here.
        self._ends = Remembered(self._bind_end, 4 * label_sets)
        self._counts = Remembered(self._bind_counts, label_sets)
        self._firsts = Remembered(self._bind_first, label_sets)
        self._source = _Source(self._registry, _shared_folder())

    def started(self) -> None:
        """Count an exchange that begins."""
        self._in_flight.inc()

    def ended(self, exchange: Exchange, at: int) -> None:
        """Count an exchange that ended at `at`, in nanoseconds of `time.perf_counter_ns`."""
        self._in_flight.dec()
        place = (exchange.operation, exchange.route, exchange.upstream)
        result = exchange.result
        seconds, count = self._ends[place, exchange.error, result]
        seconds((at - exchange.started) * NANOSECONDS)
        count()
        usage = exchange.usage
        if usage is not None and not exchange.replayed:
            used_in, used_out = self._counts[place]
            try:
                used_in(usage.input)
                used_out(usage.output)
            except OverflowError:
                pass  # an upstream that reports more tokens than a float can count: the exchange must end all the same
        if result == "complete":
            if exchange.stream:
                waited = first_byte(exchange)
                if waited is not None:
                    self._firsts[place](waited * NANOSECONDS)
        elif result == "cancelled":
            self._gone.inc()

    def refused(self, code: str) -> None:
        """Count a request that the edge refused."""
        self._refused.child(code).inc()

    def upstream_failed(self, upstream: str, code: str) -> None:
        """Count an attempt at an upstream that failed."""
        self._failures.child(upstream, code).inc()

    def unkept(self, reason: str) -> None:
        """Count an answer that could not be kept for repeats."""
        self._unkept.child(reason).inc()

    def prompt_drift(self, prompt: str, name: str, kind: str) -> None:
        """Count one way in which a caller's variables differed from a prompt's contract; `name` is the input's."""
        self._drift.child(prompt, name, kind).inc()

    def control_tokens(self, route: str, rule: str, count: int) -> None:
        """Count control tokens in one request."""
        self._controls.child(route, rule).inc(count)

    def committed(self, entries: int, seconds: float) -> None:
        """Count a batch of entries of the audit log that became durable."""
        self._committed.inc(entries)
        self._commits.observe(seconds)

    def internal_error(self) -> None:
        """Count a fault of our own."""
        self._errors.inc()

    def render(self) -> bytes:
        """Return everything in Prometheus' text format 0.0.4; with many labels it takes long: call it in a thread."""
        return generate_latest(self._source)

    def _bind_end(self, end: tuple[Place, str, str]) -> tuple[Record, Callable[[], None]]:
        place, error, result = end
        # A client that left is no success: it must not sit among the durations of answers.
        kind = error or ("cancelled" if result == "cancelled" else "")
        return self._durations.child(*place, kind).observe, self._exchanges.child(place[1], result).inc

    def _bind_counts(self, place: Place) -> tuple[Record, Record]:
        return self._tokens.child(*place, "input").observe, self._tokens.child(*place, "output").observe

    def _bind_first(self, place: Place) -> Record:
        return self._first_bytes.child(*place).observe

    def _histogram(self, name: str, text: str, labels: Sequence[str], *, buckets: Sequence[float]) -> Capped[Histogram]:
        metric = Histogram(name, text, labels, buckets=buckets, registry=self._registry)
        return Capped(metric, len(labels), self._label_sets)

    def _count(self, name: str, text: str) -> Counter:
        return Counter(name, text, registry=self._registry)

    def _counter(self, name: str, text: str, labels: Sequence[str]) -> Capped[Counter]:
        return Capped(Counter(name, text, labels, registry=self._registry), len(labels), self._label_sets)


class _Source:
    """What is rendered: this process's metrics, or all workers' where they share a folder."""

    def __init__(self, registry: CollectorRegistry, shared: str | None) -> None:
        self._shared = Path(shared) if shared else None
        self._metrics: Collector = MultiProcessCollector(None, shared) if shared else registry  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics, without the times of creation that double every one of them."""
        if self._shared is not None:
            _forget_dead(self._shared)
        for metric in self._metrics.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def _shared_folder() -> str | None:
    # The library has decided at its import, once for the process: a variable that was set later shares nothing.
    return None if library.ValueClass is library.MutexValue else os.environ.get(SHARED_FOLDER)


def _forget_dead(folder: Path) -> None:
    """Drop what workers that were killed had in flight; their counts stay."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue  # alive, under another user
