"""Labelled metrics, and what is remembered of them, that cannot grow without bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

LABEL_SETS: Final = 1000
"""Sets of labels that a metric may have in one process (INTERFACE.md, /metrics), `other` included."""
OTHER: Final = "other"

M = TypeVar("M", bound=MetricWrapperBase)


K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """Makes what it is asked for once, and keeps at most `most` of what it made."""

    def __init__(self, make: Callable[[K], V], most: int) -> None:
        super().__init__()
        self._make = make
        self._most = most

    def __missing__(self, key: K) -> V:
        made = self._make(key)
        if len(self) < self._most:
            self[key] = made
        return made


class Capped(Generic[M]):
    """Gives a metric's children by their labels: at most `most` of them, the last being `other` in every label."""

    def __init__(self, metric: M, labels: int, most: int = LABEL_SETS) -> None:
        self._metric = metric
        self._other = (OTHER,) * labels
        self._most = most
        self._children: dict[tuple[str, ...], M] = {}

    def child(self, *labels: str) -> M:
        """Return the child with these labels; to be bound once, not asked for on every request."""
        child = self._children.get(labels)
        if child is None:
            if len(self._children) >= self._most - 1:
                labels = self._other
            child = self._children[labels] = self._metric.labels(*labels)
        return child
