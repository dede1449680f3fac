"""`gatehouse prompts list` and `show` tell what there is."""

from __future__ import annotations

from pathlib import Path

from tests.cli.prompts.house import House
from tests.prompt.shelf import TRIAGE, prompty, put, seal


def test_list_shows_versions_labels_route_and_contract(house: House) -> None:
    put(house.prompts, "text/summary/draft.prompty", prompty("Sum up {{ticket}}", contract=3))
    house.out("promote", TRIAGE, "production", "v2", "--why", "better")
    house.out("promote", TRIAGE, "production", "v3", "--why", "try", "--percent", "10")
    assert house.out("list").splitlines() == [
        "PROMPT          VERSIONS        LABELS                  ROUTE  CONTRACT",
        "support/triage  v1 v2 v3 draft  production=v2 (10% v3)  chat   1",
        "text/summary    draft           -                       chat   3",
    ]


def test_list_gives_programs_the_same(house: House) -> None:
    (prompt,) = house.data("list")
    assert prompt["id"] == TRIAGE
    assert [version["version"] for version in prompt["versions"]] == ["v1", "v2", "v3", "draft"]
    assert set(prompt["versions"][0]) == {"version", "digest", "file", "route", "contract", "mode", "description"}
    assert prompt["labels"] == [
        {"label": "production", "version": "v1", "canary": None, "percent": 0, "sticky": None, "seed": True}
    ]


def test_list_says_when_there_is_nothing_and_when_something_is_wrong(tmp_path: Path) -> None:
    house = House(tmp_path)
    put(house.prompts, f"{TRIAGE}/v2.prompty", "changed")
    assert house.call("list").stderr == "2 problems keep files from being used: run 'gatehouse prompts check'\n"
    house.config.write_text(house.config.read_text() + '[prompts]\npath = "nowhere"\n')
    result = house.call("list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"There are no prompts in {tmp_path / 'nowhere'}.\n"
    assert house.data("list") == []


def test_show_prints_where_it_comes_from_front_matter_text_and_schema(house: House) -> None:
    put(house.prompts, "_fragments/tone.md", "Be kind.\n")
    put(
        house.prompts,
        f"{TRIAGE}/v4.prompty",
        prompty('{% include "_fragments/tone.md" %}\n{{ticket}} \x1b', extra="# a remark\n"),
    )
    put(house.prompts, f"{TRIAGE}/v4.prompty", prompty('{% include "_fragments/tone.md" %}\n{{ticket}}', extra="# a remark\n"))
    digests = seal(house.prompts)
    out = house.out("show", f"{TRIAGE}@v4")
    assert out.startswith("prompt     support/triage@v4\nfile ")
    assert f"\ndigest     {digests[f'{TRIAGE}/v4']}\nfragments  _fragments/tone.md\nroute      chat\ncontract   1\n\n---\n" in out
    assert "\n# a remark\n" in out
    assert "\nsystem:\nBe brief.\nuser:\nBe kind.\n" in out
    assert '"x-contract": 1,' in out


def test_show_says_when_violations_are_only_counted(house: House) -> None:
    text = prompty().replace("{contract: 1}", "{contract: 2, mode: shadow}")
    put(house.prompts, f"{TRIAGE}/draft.prompty", text)
    assert "\ncontract   2, violations are only counted\n" in house.out("show", f"{TRIAGE}@draft")


def test_show_gives_programs_text_and_schema(house: House) -> None:
    shown = house.data("show", TRIAGE)
    assert (shown["id"], shown["version"], shown["file"]) == (TRIAGE, "v1", f"{TRIAGE}/v1.prompty")
    assert shown["text"] == "system:\nBe brief.\nuser:\nSort {{ticket}}\n"
    assert shown["front_matter"].startswith("---\nmetadata:")
    assert shown["schema"]["properties"] == {"ticket": {"type": "string"}}


def test_show_says_what_is_not_there(house: House) -> None:
    assert house.fails("show", f"{TRIAGE}@v9") == "There is no support/triage@v9: there are v1, v2, v3, draft"


def test_a_configuration_that_is_wrong_is_wrong_use(house: House) -> None:
    house.config.write_text("[routs.chat]\n")
    for command in (["list"], ["show", TRIAGE]):
        assert "did you mean" in house.fails(*command)
