"""The places where budgets are kept."""

from __future__ import annotations

import pytest

from tests.budget.places import Open, in_memory


@pytest.fixture(params=[in_memory], ids=["memory"])
def place(request: pytest.FixtureRequest) -> Open:
    """Every ledger in turn, empty."""
    opened: Open = request.param
    return opened
