from __future__ import annotations

import pytest

from tests.bench.plan import DIRECT, SCENARIOS, Step, steps
from tests.bench.processes import Launch
from tests.bench.subjects import Site, Subject


def _nothing(site: Site) -> Launch:
    return Launch([str(site.port)])


_FAST = Subject("fast", _nothing, rate=200.0, warmup=0.4)
_SLOW = Subject("slow", _nothing, rate=40.0, warmup=2.0)


def _of(found: list[Step], *, scenario: str, number: int) -> list[str]:
    return [step.subject for step in found if step.scenario.name == scenario and step.number == number]


def test_every_pass_goes_round_all_subjects_and_the_next_goes_back() -> None:
    found = list(steps([_FAST, _SLOW], passes=2))
    assert _of(found, scenario="plain", number=0) == ["fast", "slow"]
    assert _of(found, scenario="plain", number=1) == ["slow", "fast"]


def test_a_latency_has_its_direct_counterpart_at_every_rate_in_every_pass() -> None:
    found = [step for step in steps([_FAST, _SLOW], passes=3) if step.scenario.name == "latency"]
    for number in range(3):
        rates = {step.rate for step in found if step.number == number and step.subject == DIRECT}
        assert rates == {200.0, 40.0}
    assert {step.rate for step in found if step.subject == "slow"} == {40.0}


def test_closed_loops_have_no_rate() -> None:
    assert {step.rate for step in steps([_FAST], passes=2) if not step.scenario.rate} == {0.0}


def test_gaps_are_measured_without_a_proxy_too() -> None:
    assert _of(list(steps([_FAST], passes=1)), scenario="paced", number=0) == [DIRECT, "fast"]


@pytest.mark.parametrize("passes", [1, 2, 5])
def test_every_scenario_is_measured_at_least_once(passes: int) -> None:
    found = list(steps([_FAST], passes=passes))
    for scenario in SCENARIOS:
        own = [step for step in found if step.scenario is scenario and step.subject == "fast"]
        assert len(own) == max(1, passes - scenario.fewer)


def test_all_connections_are_busy_before_the_window_starts() -> None:
    assert all(step.warmup > step.scenario.ramp for step in steps([_FAST, _SLOW], passes=1))
