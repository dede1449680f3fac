from __future__ import annotations

import pytest

from tests.bench.prompt import CHARS, VALUES, Step, main, measure, steps, table, template
from tests.bench.stats import Figure


def test_the_prompt_that_is_measured_is_the_one_that_is_promised() -> None:
    assert [len(document["text"]) for document in VALUES["documents"] if isinstance(document, dict)] == [200] * 8
    system, user = template().render(VALUES)
    assert "only" in str(system.content)
    assert str(user.content).count("Chapter") == 8
    assert len(str(user.content)) > 1600


def test_every_step_runs_and_finds_nothing() -> None:
    results = {step.name: step.run() for step in steps()}
    assert [found for name, found in results.items() if "2 kB" in name] == [False] * 3
    assert CHARS == 2000


def test_a_step_is_measured_in_passes() -> None:
    runs: list[int] = []
    figure = measure(Step("count", lambda: runs.append(1)), rounds=3)
    assert len(runs) == 1 + 25 * 3
    assert 0 < figure.low <= figure.median <= figure.high


def test_a_step_that_costs_more_than_it_may_is_marked() -> None:
    shown = table(
        [(Step("cheap", int, 2), Figure(1, 1, 1)), (Step("dear", int, 2), Figure(3, 1, 9)), (Step("free", int), Figure(9, 9, 9))]
    )
    assert [line.endswith("OVER") for line in shown.splitlines()] == [False, False, True, False]


def test_all_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(rounds=1)
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(steps())
