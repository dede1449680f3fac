"""What the harness asks of the load generator, and what comes back."""

from __future__ import annotations

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One pass over one subject. Times in seconds; `rate` 0 means a closed loop; `subject` and `upstream` are process ids.

    `ramp` is the time over which a closed loop starts its connections, `drain` how long unanswered requests may take after
    the measured window, `gaps` whether to time the reads of streams.
    """

    model: str
    port: int
    path: str = "/v1/chat/completions"
    headers: dict[str, str] = {}
    connections: int
    seconds: float
    warmup: float = 0.5
    ramp: float = 0.0
    drain: float = 20.0
    rate: float = 0.0
    gaps: bool = False
    subject: int = 0
    upstream: int = 0


class Outcome(msgspec.Struct, kw_only=True):
    """What a pass gave.

    `answers` counts those of the window; of streams the part that arrived within it, as a fraction. CPU times are of the
    window: the subject's, the load generator's with the fake upstream's, everybody else's. Gaps: median, p99, worst.
    """

    seconds: float
    answers: float
    cpu_us: float
    load_us: float
    foreign_us: float
    latencies_ms: list[float]
    late_ms: float
    gaps_ms: list[float]
    errors: dict[str, int] = {}

    @classmethod
    def failed(cls, problem: str) -> Outcome:
        """Return the outcome of a pass that did not take place."""
        nothing = {"answers": 0.0, "cpu_us": 0.0, "load_us": 0.0, "foreign_us": 0.0, "late_ms": 0.0}
        return cls(seconds=1.0, latencies_ms=[], gaps_ms=[], errors={problem: 1}, **nothing)


_job_decoder = msgspec.json.Decoder(Job)
_outcome_decoder = msgspec.json.Decoder(Outcome)


def decode_job(raw: bytes) -> Job:
    """Read a job."""
    return _job_decoder.decode(raw)


def decode_outcome(raw: bytes) -> Outcome:
    """Read an outcome."""
    return _outcome_decoder.decode(raw)


def encode(value: Job | Outcome) -> bytes:
    """Write a job or an outcome."""
    return msgspec.json.encode(value)
