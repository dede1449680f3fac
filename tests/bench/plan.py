"""In which order what is measured: every pass goes round all subjects, so that a noisy moment hits all alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.bodies import BURST, PACED, PLAIN
from tests.bench.subjects import Subject

DIRECT = "direct"
"""The upstream without a proxy before it: what latencies and gaps are compared with."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load: an open loop at the subject's rate with `rate`, else a closed loop that starts within `ramp` seconds.

    `gaps` times the reads of streams; `fewer` is how many passes less than of others it gets.
    """

    name: str
    model: str
    connections: int
    ramp: float = 0.0
    rate: bool = False
    gaps: bool = False
    fewer: int = 0

    @property
    def direct(self) -> bool:
        """Whether it needs its like without a proxy."""
        return self.rate or self.gaps


SCENARIOS = (
    Scenario("plain", PLAIN, 64),
    Scenario("burst", BURST, 64),
    Scenario("paced", PACED, 256, ramp=0.8, gaps=True, fewer=1),
    Scenario("latency", PLAIN, 64, rate=True),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One pass of one scenario over one subject, or over the upstream itself at the rate of `rate`."""

    number: int
    scenario: Scenario
    subject: str
    rate: float
    warmup: float


def steps(subjects: Sequence[Subject], *, passes: int) -> Iterator[Step]:
    """Yield the passes in their order; every other one goes round the other way."""
    for number in range(passes):
        for scenario in SCENARIOS:
            if number < max(1, passes - scenario.fewer):
                round_trip = [*_direct(subjects, scenario), *subjects]
                for one in reversed(round_trip) if number % 2 else round_trip:
                    warmup = scenario.ramp + one.warmup * (2 if scenario.gaps else 1)
                    yield Step(number, scenario, one.name, one.rate if scenario.rate else 0.0, warmup)


def _direct(subjects: Sequence[Subject], scenario: Scenario) -> list[Subject]:
    if not scenario.direct:
        return []
    rates = sorted({subject.rate for subject in subjects}) if scenario.rate else [0.0]
    return [Subject(DIRECT, subjects[0].prepare, rate=rate) for rate in rates]
