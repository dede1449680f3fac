"""Statistics of repeated measurements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: the median of its passes, and how far they spread."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up the passes; there is at least one."""
        return cls(statistics.median(values), min(values), max(values))

    @property
    def spread(self) -> float:
        """The distance between the extreme passes as a share of the median."""
        return (self.high - self.low) / self.median if self.median else 0.0


def percentile(ordered: Sequence[float], at: float) -> float:
    """Return the smallest of the sorted values that is not exceeded by a share `at` of them (nearest rank)."""
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, math.ceil(at * len(ordered)) - 1)]
