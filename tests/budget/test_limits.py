from __future__ import annotations

from typing import Any

from gateway.budget.contract import Limits
from gateway.budget.limits import limits_of
from gateway.settings.tree import Budget


def test_limits_are_those_of_the_file_with_money_in_millionths() -> None:
    whole: dict[str, Any] = {
        "window": "month",
        "tokens": 5,
        "cost": "1.5",
        "requests_per_minute": 6,
        "tokens_per_minute": 7,
        "max_concurrent": 8,
        "on_exceed": "refuse",
        "min_output_tokens": 9,
    }
    found = limits_of({"b": Budget.model_validate(whole), "a": Budget.model_validate({"requests_per_minute": 1})})
    assert found == [Limits("b", "month", 5, 1_500_000, 6, 7, 8, "refuse", 9), Limits("a", requests_per_minute=1)]


def test_a_limit_of_no_money_is_a_limit() -> None:
    [limits] = limits_of({"a": Budget.model_validate({"window": "day", "cost": "0"})})
    assert limits.cost == 0
