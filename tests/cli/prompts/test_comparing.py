"""`gatehouse prompts diff` shows what changed from one version to another."""

from __future__ import annotations

from tests.cli.prompts.house import House
from tests.prompt.shelf import TRIAGE, prompty, put


def test_diff_shows_text_front_matter_contract_and_tokens(house: House) -> None:
    put(
        house.prompts,
        f"{TRIAGE}/draft.prompty",
        prompty("Sort all of {{ticket}} {{other}}", contract=2, inputs=("ticket", "other")),
    )
    out = house.out("diff", f"{TRIAGE}@v1", f"{TRIAGE}@draft")
    assert "metadata.gateway.contract: 1 → 2\n" in out
    assert f"--- {TRIAGE}@v1\n+++ {TRIAGE}@draft\n" in out
    assert "\n-Sort {{ticket}}\n+Sort all of {{ticket}} {{other}}\n" in out
    assert "tokens of the constant text: " in out
    assert "(+2); contract: 1 → 2\n" in out
    assert "incompatible: " in out
    assert "warning: The contract goes from 1 to 2" in out
    assert ": - → " in out


def test_the_other_version_may_be_named_alone_and_by_a_label(house: House) -> None:
    house.out("promote", TRIAGE, "next", "v3", "--why", "try")
    for new in ("v3", "next", f"{TRIAGE}@next"):
        found = house.data("diff", TRIAGE, new)
        assert (found["old"], found["new"]) == (f"{TRIAGE}@v1", f"{TRIAGE}@v3")
    assert found["tokens"][1] > found["tokens"][0]
    assert found["contracts"] == [1, 1]


def test_versions_that_say_the_same_are_told_so(house: House) -> None:
    assert house.out("diff", f"{TRIAGE}@v1", "v1") == f"{TRIAGE}@v1 and {TRIAGE}@v1 say the same.\n"


def test_a_version_that_is_not_there_is_wrong_use(house: House) -> None:
    assert "There is no support/triage@v9" in house.fails("diff", f"{TRIAGE}@v1", "v9")
    assert "is no prompt" in house.fails("diff", "triage", "v1")
