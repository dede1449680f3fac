"""The record of one exchange, filled step by step as it goes through the pipeline."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from gateway.exchange.caller import Caller
from gateway.exchange.ids import new_id
from gateway.exchange.usage import Usage

Result = Literal["running", "complete", "refused", "failed", "cancelled"]
Step = Literal["caller", "body", "route", "upstream", "first_byte"]


@dataclass(slots=True)
class Exchange:
    """What is known of an exchange so far. Only the pipeline and the edge that started it write here.

    `id` is a UUIDv7, the `x-request-id` of the answer and the suffix of its completion id; `started` and `marks` are in
    nanoseconds of `time.perf_counter_ns`. `max_tokens` is what was asked of the upstream, `shortened` whether that is less
    than the caller asked for. `error` is a code of INTERFACE.md, `reason` a few fixed words for the operator's log.
    """

    operation: str
    id: str = field(default_factory=new_id)
    started: int = field(default_factory=time.perf_counter_ns)
    caller: Caller | None = None
    model: str = ""
    stream: bool = False
    route: str = ""
    upstream: str = ""
    max_tokens: int = 0
    shortened: bool = False
    replayed: bool = False
    usage: Usage | None = None
    finish: str = ""
    result: Result = "running"
    error: str = ""
    reason: str = ""
    marks: list[tuple[Step, int]] = field(default_factory=list)

    def mark(self, step: Step) -> None:
        """Note that a step has just ended."""
        self.marks.append((step, time.perf_counter_ns()))
