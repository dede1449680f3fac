"""Metrics and log behind the one face that the pipeline and the edges see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from gateway.errors import ClientError
from gateway.exchange.exchange import Exchange
from gateway.telemetry.events import (
    AUDIT_DISK,
    AUDIT_FAILED,
    AUDIT_RECOVERED,
    LABELS_CURRENT,
    LABELS_STALE,
    LABELS_UNSEEDED,
    PROMPT_PROBLEM,
    PROMPTS_LOADED,
    PROMPTS_UNWATCHED,
    REPLAY_UNKEPT,
    REQUEST_REFUSED,
    UPSTREAM_FAILED,
)
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics

PAUSE = 0.05
"""Seconds that an ended exchange waits at most to be counted and logged, where batches are taken."""
MOST_PROBLEMS = 100
"""Problems of a folder of prompts that are logged one by one."""


class Drift(Protocol):
    """One way in which variables differ from a prompt's contract."""

    @property
    def input(self) -> str:
        """The input, "" for a name that is not declared."""

    @property
    def kind(self) -> str:
        """A closed word."""


class Problem(Protocol):
    """What is wrong with a file of prompts."""

    @property
    def file(self) -> str:
        """The file, in the folder of prompts."""

    @property
    def line(self) -> int:
        """Its line, 0 where there is none."""

    @property
    def text(self) -> str:
        """What it is."""

    @property
    def severity(self) -> str:
        """Error or warning."""


class Observer:
    """Counts and logs what happens; nothing here waits or raises.

    With a `batch` above one, so many ended exchanges are counted and logged at once: what runs in a row costs half of what runs
    between other things. It then needs a running event loop, and `flush` at the end.
    """

    def __init__(self, metrics: Metrics, log: Log, *, batch: int = 1) -> None:
        self._metrics = metrics
        self._log = log
        self._batch = batch
        self._over: list[tuple[Exchange, int]] = []
        self._tell: Callable[[str], None] | None = None

    def started(self, exchange: Exchange) -> None:  # noqa: ARG002  # the seam of the pipeline; spans will need it
        """Note that an exchange has begun; `ended` follows exactly once."""
        self._metrics.started()

    def ended(self, exchange: Exchange) -> None:
        """Note that an exchange has ended, with its result."""
        self._over.append((exchange, time.perf_counter_ns()))
        if len(self._over) >= self._batch:
            self.flush()
        elif len(self._over) == 1:
            asyncio.get_running_loop().call_later(PAUSE, self.flush)

    def flush(self) -> None:
        """Count and log what has ended so far."""
        over, self._over = self._over, []
        for exchange, at in over:
            self._metrics.ended(exchange, at)
            self._log.ended(exchange, at)

    def refused(self, code: str, request_id: str = "") -> None:
        """Note a refusal that no exchange stands for."""
        self._metrics.refused(code)
        if self._tell is not None:
            self._tell(code)
        self._log.info(REQUEST_REFUSED, id=request_id, error=code)

    def tell_refusals(self, tell: Callable[[str], None]) -> None:
        """Have the code of every refusal told to one more: the log that auditors read."""
        self._tell = tell

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

    def unkept(self, exchange: Exchange, reason: str) -> None:
        """Note that the exchange's answer could not be kept for repeats with its idempotency key."""
        self._metrics.unkept(reason)
        self._log.warning(REPLAY_UNKEPT, id=exchange.id, route=exchange.route, upstream=exchange.upstream, reason=reason)

    def internal_error(self, error: BaseException, request_id: str) -> None:
        """Note a fault of our own."""
        self._metrics.internal_error()
        self._log.internal_error(error, request_id)

    async def render(self) -> bytes:
        """Return the metrics in Prometheus' text format; that takes long, so a thread does it."""
        self.flush()
        return await asyncio.to_thread(self._metrics.render)

    def committed(self, entries: int, seconds: float) -> None:
        """Note that the audit log made a batch durable."""
        self._metrics.committed(entries, seconds)

    def failed(self, reason: str) -> None:
        """Note that the audit log failed; it tries again by itself."""
        self._log.error(AUDIT_FAILED, reason=reason)

    def recovered(self, abandoned: int) -> None:
        """Note that the audit log works again."""
        self._log.warning(AUDIT_RECOVERED, abandoned=abandoned)

    def filled(self, condition: str, percent: int) -> None:
        """Note that the disk under the audit log got fuller or emptier than a threshold."""
        self._log.warning(AUDIT_DISK, condition=condition, percent=percent)

    def prompt_drift(self, prompt: str, drift: Iterable[Drift]) -> None:
        """Note in what ways a request's variables differ from what a prompt takes."""
        for each in drift:
            self._metrics.prompt_drift(prompt, each.input, each.kind)

    def control_tokens(self, route: str, rule: str, count: int) -> None:
        """Note control tokens of chat templates in a request."""
        self._metrics.control_tokens(route, rule, count)

    def prompts_loaded(self, count: int, problems: Sequence[Problem]) -> None:
        """Note that a library of prompts counts from now on, and what is wrong with its folder; from any thread."""
        self._log.info(PROMPTS_LOADED, versions=count, problems=len(problems))
        for each in problems[:MOST_PROBLEMS]:
            self._log.warning(PROMPT_PROBLEM, file=each.file, line=each.line, severity=each.severity, problem=each.text)

    def prompts_unwatched(self) -> None:
        """Note that the prompts' folder is not watched any more; from any thread."""
        self._log.error(PROMPTS_UNWATCHED)

    def labels_stale(self, reason: str) -> None:
        """Note that moves of labels are not seen any more; from any thread."""
        self._log.error(LABELS_STALE, reason=reason)

    def labels_current(self) -> None:
        """Note that moves of labels are seen again; from any thread."""
        self._log.warning(LABELS_CURRENT)

    def labels_unseeded(self, reason: str) -> None:
        """Note that labels could not be set from labels.yaml; from any thread."""
        self._log.warning(LABELS_UNSEEDED, reason=reason)
