"""The record of one exchange, filled step by step as it goes through the pipeline."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal

from gateway.errors import ClientError, InternalError
from gateway.exchange.caller import Caller
from gateway.exchange.evidence import Evidence
from gateway.exchange.ids import new_id
from gateway.exchange.prompt import PromptUse
from gateway.exchange.usage import Usage

OK = 200

Result = Literal["running", "complete", "refused", "failed", "cancelled"]
Step = Literal["caller", "body", "prompt", "route", "upstream", "first_byte"]


@dataclass(slots=True)
class Exchange:
    """What is known of an exchange so far. Only the pipeline and the edge that started it write here.

    `id` is a UUIDv7, the `x-request-id` of the answer and the suffix of its completion id; `started` and `marks` are in
    nanoseconds of `time.perf_counter_ns`. `max_tokens` is what was asked of the upstream, `shortened` whether that is less
    than the caller asked for. `begun` tells that it has a begin in the log; `handed_over` are the bytes of the answer that the
    edge has been given; `status` is the HTTP status that the client was told, 0 while it was told none. `error` is a code of
    INTERFACE.md, `reason` a few fixed words for the operator's log.
    """

    operation: str
    id: str = field(default_factory=new_id)
    started: int = field(default_factory=time.perf_counter_ns)
    caller: Caller | None = None
    model: str = ""
    stream: bool = False
    route: str = ""
    prompt: PromptUse | None = None
    upstream: str = ""
    upstream_model: str = ""
    max_tokens: int = 0
    shortened: bool = False
    replayed: bool = False
    usage: Usage | None = None
    finish: str = ""
    evidence: Evidence = field(default_factory=Evidence)
    begun: bool = False
    handed_over: int = 0
    result: Result = "running"
    status: int = 0
    error: str = ""
    reason: str = ""
    marks: list[tuple[Step, int]] = field(default_factory=list)

    def settle(self, error: BaseException | None) -> None:
        """Note how it ended, once: `error` is what ended it, None where it is complete.

        One that was complete fails all the same when its end cannot be entered: its last byte is withheld.
        """
        if self.result != "running" and not (self.result == "complete" and isinstance(error, Exception)):
            return
        match error:
            case None:
                self.result, self.status = "complete", OK
            case ClientError():
                self.result = "failed" if self.evidence.attempts else "refused"
                self.error, self.reason = error.code, error.reason
                self.status = OK if self.handed_over else error.status
            case asyncio.CancelledError() | GeneratorExit():
                self.result = "cancelled"
            case _:
                self.result, self.error = "failed", "internal_error"
                self.status = OK if self.handed_over else InternalError.status

    def hand_over(self, piece: bytes) -> bytes:
        """Note a piece of the answer that goes to the edge now, and return it."""
        self.status = OK
        self.handed_over += len(piece)
        self.evidence.delivered.add(piece)
        return piece

    def mark(self, step: Step) -> None:
        """Note that a step has just ended."""
        self.marks.append((step, time.perf_counter_ns()))
