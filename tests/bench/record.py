"""A run as JSON: what was measured, where, with what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

import msgspec

from tests.bench import bodies
from tests.bench.report import Result, above_client, ratios
from tests.bench.stats import Figure

NOTES = (
    (
        "CPU: user and system time of the subject's processes from their CPU clocks (nanoseconds) in the window, divided "
        "by the window's answers; a stream counts by the part of its events that arrived within it."
    ),
    "Every figure is the median of the passes with their lowest and highest; ratios divide medians of this run.",
    (
        "The subject runs on one core, upstream and load generator on another. *_busy is the subject's share of its core: below "
        "about 0.9 it waited for the load."
    ),
    f"burst: {bodies.BURST_EVENTS} events in a socket write. paced: one event in a write every {bodies.PACE * 1000:.0f} ms.",
    "Added latency: the percentile through the subject minus that straight to the upstream, at the same rate in the same round.",
    "Gaps: time between two reads with content of one stream. direct: the upstream without a proxy.",
    "start_s: from exec to the first complete answer. Memory: after all passes, whole process tree.",
)


class Record(msgspec.Struct, kw_only=True):
    """Everything of a run that is kept."""

    date: str
    machine: dict[str, Any]
    seconds: float = 0.0
    passes: int = 0
    took: float = 0.0
    foreign_cores: dict[str, float]
    missing: dict[str, str]
    subjects: dict[str, dict[str, Any]]
    ratios: dict[str, dict[str, float]]
    above_client_us: dict[str, dict[str, float]]
    notes: tuple[str, ...] = NOTES

    @classmethod
    def of(cls, machine: dict[str, object], results: Sequence[Result], *, noise: Figure, missing: dict[str, str]) -> Self:
        """Gather a run's results; figures keep four decimals."""
        return cls(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=machine,
            foreign_cores=_figure(noise),
            missing=missing,
            subjects={one.name: _subject(one) for one in results},
            ratios={name: _rounded(values) for name, values in ratios(results).items()},
            above_client_us={name: _rounded(values) for name, values in above_client(results).items()},
        )

    def encode(self) -> bytes:
        """Write it for people to read and diff."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def _subject(one: Result) -> dict[str, Any]:
    return {
        "valid": one.valid,
        "errors": one.errors,
        "latency_rate_per_s": one.rate,
        "memory_mb": {"pss": round(one.memory.pss / 1e6, 1), "rss": round(one.memory.rss / 1e6, 1)},
        "figures": {name: _figure(figure) for name, figure in one.figures.items()},
    }


def _figure(figure: Figure) -> dict[str, float]:
    return _rounded({"median": figure.median, "low": figure.low, "high": figure.high})


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
