"""Metrics and log behind the one face that the pipeline and the edges see."""

from __future__ import annotations

import time

from gateway.errors import ClientError
from gateway.exchange.exchange import Exchange
from gateway.telemetry.events import REQUEST_REFUSED, UPSTREAM_FAILED
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics


class Observer:
    """Counts and logs what happens; nothing here waits or raises."""

    def __init__(self, metrics: Metrics, log: Log) -> None:
        self._metrics = metrics
        self._log = log

    def started(self, exchange: Exchange) -> None:  # noqa: ARG002  # the seam of the pipeline; spans will need it
        """Note that an exchange has begun; `ended` follows exactly once."""
        self._metrics.started()

    def ended(self, exchange: Exchange) -> None:
        """Note that an exchange has ended, with its result."""
        at = time.perf_counter_ns()
        self._metrics.ended(exchange, at)
        self._log.ended(exchange, at)

    def refused(self, code: str, request_id: str = "") -> None:
        """Note a refusal that no exchange stands for."""
        self._metrics.refused(code)
        self._log.info(REQUEST_REFUSED, id=request_id, error=code)

    def upstream_failed(self, exchange: Exchange, error: ClientError) -> None:
        """Note that the exchange's upstream failed at an attempt, whether or not another one follows."""
        self._metrics.upstream_failed(exchange.upstream, error.code)
        self._log.warning(
            UPSTREAM_FAILED,
            id=exchange.id,
            route=exchange.route,
            upstream=exchange.upstream,
            error=error.code,
            reason=error.reason,
        )

    def internal_error(self, error: BaseException, request_id: str) -> None:
        """Note a fault of our own."""
        self._metrics.internal_error()
        self._log.internal_error(error, request_id)

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return self._metrics.render()
