from __future__ import annotations

from gateway.exchange.prompt import PromptUse


def test_a_version_is_named_as_people_name_it() -> None:
    assert PromptUse("support/triage", "v7", "production", 1, "0" * 64).reference == "support/triage@v7"
    assert PromptUse("support/triage", "draft", "", 1, "0" * 64).reference == "support/triage@draft"
