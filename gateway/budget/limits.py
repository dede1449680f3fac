"""Budgets as an operator writes them, in the ledger's units. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.budget.contract import Limits
from gateway.budget.money import micros
from gateway.settings.tree import Budget


def limits_of(budgets: Mapping[str, Budget]) -> list[Limits]:
    """Return the limits of all budgets, in the order of the file."""
    return [
        Limits(
            name,
            budget.window or "total",
            tokens=budget.tokens,
            cost=None if budget.cost is None else micros(budget.cost),
            requests_per_minute=budget.requests_per_minute,
            tokens_per_minute=budget.tokens_per_minute,
            max_concurrent=budget.max_concurrent,
            on_exceed=budget.on_exceed,
            min_output_tokens=budget.min_output_tokens,
        )
        for name, budget in budgets.items()
    ]
