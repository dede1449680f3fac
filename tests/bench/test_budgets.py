"""The tool that measures budgets."""

import asyncio

import pytest

from gateway.budget.contract import Amount
from tests.bench.budgets import CASES, Case, ask, cost, ledger, main, snapshot_cost


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_measured_is_admitted(case: Case) -> None:
    async def run() -> None:
        kept = ledger(case)
        found = await kept.reserve(ask("x", case))
        assert (await kept.settle("x", Amount(1, 1))).ended == "settled"
        assert getattr(found, "tokens", None) == 1_012
        assert bool(getattr(found, "requests", None)) == case.rates

    asyncio.run(run())
    assert asyncio.run(cost(case, 10)) > 0


def test_every_figure_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(1, 10) in {0, 1}
    told = capsys.readouterr().out
    assert all(case.name in told for case in CASES)
    assert "snapshot of 10,000 budgets" in told
    assert asyncio.run(snapshot_cost(10)) >= 0
