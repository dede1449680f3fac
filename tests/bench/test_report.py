from __future__ import annotations

import pytest

from tests.bench.jobs import Outcome
from tests.bench.plan import DIRECT, SCENARIOS, Step
from tests.bench.proc import Memory
from tests.bench.report import Pass, Result, above_client, foreign, ratios, result, tables
from tests.bench.stats import Figure

_BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def _outcome(
    answers: float = 100.0, *, cpu_us: float = 5000.0, latencies: tuple[float, ...] = (), errors: dict[str, int] | None = None
) -> Outcome:
    return Outcome(
        seconds=2.0,
        answers=answers,
        cpu_us=cpu_us,
        load_us=1.0,
        foreign_us=400_000.0,
        latencies_ms=list(latencies),
        late_ms=0.0,
        gaps_ms=[],
        errors=errors or {},
    )


def _pass(subject: str, scenario: str, outcome: Outcome, *, number: int = 0, rate: float = 0.0) -> Pass:
    return Pass(Step(number, _BY_NAME[scenario], subject, rate, 0.5), outcome)


def _result(name: str, **figures: float) -> Result:
    return Result(name, {key: Figure(value, value, value) for key, value in figures.items()}, {}, Memory(), 200.0)


def test_cpu_is_divided_by_the_answers_of_its_window() -> None:
    passes = [_pass("floor", "plain", _outcome(answers, cpu_us=cpu_us)) for answers, cpu_us in ((100, 5000), (200, 8000))]
    figures = result("floor", passes, starts=[0.2], memory=Memory()).figures
    assert figures["plain_us"] == Figure(45.0, 40.0, 50.0)
    assert figures["plain_per_s"] == Figure(75.0, 50.0, 100.0)
    assert figures["plain_busy"].high == pytest.approx(0.004)


def test_another_subjects_passes_do_not_count() -> None:
    passes = [_pass("nginx", "plain", _outcome(cpu_us=1.0)), _pass("floor", "plain", _outcome(cpu_us=5000.0))]
    assert result("floor", passes, starts=[0.2], memory=Memory()).figures["plain_us"].low == 50.0


def test_added_latency_is_taken_from_the_direct_pass_of_the_same_round_and_rate() -> None:
    passes = [
        _pass(DIRECT, "latency", _outcome(latencies=(1.0, 1.0, 1.0)), rate=200.0),
        _pass(DIRECT, "latency", _outcome(latencies=(9.0, 9.0, 9.0)), rate=40.0),
        _pass(DIRECT, "latency", _outcome(latencies=(2.0, 2.0, 2.0)), number=1, rate=200.0),
        _pass("floor", "latency", _outcome(latencies=(7.0, 4.0, 3.0)), rate=200.0),
        _pass("floor", "latency", _outcome(latencies=(4.0, 4.0, 4.0)), number=1, rate=200.0),
    ]
    figures = result("floor", passes, starts=[0.2], memory=Memory()).figures
    assert figures["added_p50_ms"] == Figure(2.5, 2.0, 3.0)
    assert figures["added_p99_ms"] == Figure(4.0, 2.0, 6.0)
    assert "added_p50_ms" not in result(DIRECT, passes, starts=[], memory=Memory()).figures


def test_one_incomplete_answer_makes_a_subject_invalid_and_says_where() -> None:
    passes = [_pass("floor", "plain", _outcome()), _pass("floor", "burst", _outcome(errors={"no [DONE]": 2}))]
    found = result("floor", passes, starts=[0.2], memory=Memory())
    assert not found.valid
    assert found.errors == {"burst: no [DONE]": 2}
    assert "floor: INVALID, 2 x burst: no [DONE]" in tables([found])


def test_errors_of_all_passes_add_up() -> None:
    passes = [_pass("floor", "plain", _outcome(errors={"status 500": 3}), number=number) for number in range(2)]
    assert result("floor", passes, starts=[], memory=Memory()).errors == {"plain: status 500": 6}


def test_a_subject_without_answers_has_no_figure_instead_of_a_wrong_one() -> None:
    found = result("floor", [_pass("floor", "plain", Outcome.failed("no connection"))], starts=[], memory=Memory())
    assert found.figures == {}
    assert not found.valid
    assert "floor (!)" in tables([found])


def test_ratios_are_within_the_run() -> None:
    found = ratios([_result("floor", plain_us=40.0), _result("gatehouse", plain_us=100.0), _result("litellm", plain_us=4000.0)])
    assert found["gatehouse"] == {"plain/floor": 2.5, "plain/litellm": 0.025}
    assert found["litellm"] == {"plain/floor": 100.0, "plain/litellm": 1.0}


def test_ratios_to_what_was_not_measured_are_left_out() -> None:
    assert ratios([_result("gatehouse", plain_us=100.0)]) == {"gatehouse": {}}
    assert ratios([_result("floor", plain_us=40.0), _result("gatehouse", burst_us=9.0)])["gatehouse"] == {}


def test_ours_above_the_client_is_a_difference_for_each_gatehouse() -> None:
    client = _result("floor-aiohttp", plain_us=90.0, burst_us=150.0)
    found = above_client([client, _result("gatehouse", plain_us=120.0), _result("gatehouse-log", plain_us=150.0, burst_us=200.0)])
    assert found == {"gatehouse": {"plain": 30.0}, "gatehouse-log": {"plain": 60.0, "burst": 50.0}}
    assert above_client([_result("gatehouse", plain_us=120.0)]) == {}


def test_noise_is_told_in_cores() -> None:
    assert foreign([_pass("floor", "plain", _outcome())]).median == pytest.approx(0.2)


def test_a_table_shows_small_shares_as_fractions_and_every_figure_with_its_range() -> None:
    floor = Result("floor", {"plain_us": Figure(40.0, 38.5, 41.0)}, {}, Memory(rss=34_000_000, pss=22_000_000), 200.0)
    text = tables([floor, _result("litellm", plain_us=8000.0)])
    assert "38.5..41.0" in text
    assert "1/200" in text
    assert "8,000" in text
    assert {len(line) for line in text.split("\n\n")[0].splitlines()[:2]} == {len(text.splitlines()[0])}
