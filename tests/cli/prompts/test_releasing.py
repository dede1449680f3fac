"""`gatehouse prompts publish`, `promote`, `rollback` and `history`: nothing moves unentered, everything can be taken back."""

from __future__ import annotations

import os
import pwd
import re

import pytest

from gateway.prompt.library.lock import read_lock
from tests.cli.prompts.house import House
from tests.prompt.shelf import TRIAGE, prompty, put

ME = f"os:{pwd.getpwuid(os.getuid()).pw_name}"
WHY = ("--why", "it sorts better")


def standing(house: House) -> str:
    (prompt,) = house.data("list")
    return ", ".join(f"{each['label']}={each['version']}" for each in prompt["labels"])


def test_publish_makes_the_draft_the_next_version(house: House) -> None:
    out = house.out("publish", TRIAGE)
    assert out.startswith(f"{TRIAGE}@v4 is published: commit {house.prompts / TRIAGE / 'v4.prompty'} and prompts.lock.\n")
    assert f"'gatehouse prompts promote {TRIAGE} production v4 --why …'" in out
    draft = (house.prompts / TRIAGE / "draft.prompty").read_bytes()
    assert (house.prompts / TRIAGE / "v4.prompty").read_bytes() == draft
    assert f"{TRIAGE}/v4" in read_lock((house.prompts / "prompts.lock").read_bytes()).versions
    assert house.data("show", f"{TRIAGE}@v4")["text"].endswith("Sort all {{ticket}}\n")


def test_publish_tells_programs_what_was_published(house: House) -> None:
    published = house.data("publish", TRIAGE)
    assert (published["id"], published["name"], published["contract"]) == (TRIAGE, "v4", 1)
    assert published["digest"] == house.data("show", f"{TRIAGE}@v4")["digest"]


def test_publish_refuses_what_is_not_ready_and_writes_nothing(house: House) -> None:
    before = (house.prompts / "prompts.lock").read_bytes()
    house.out("publish", TRIAGE)
    lock = (house.prompts / "prompts.lock").read_bytes()
    assert lock != before
    assert house.fails("publish", TRIAGE) == "The draft is v4: there is nothing to publish"
    put(house.prompts, f"{TRIAGE}/draft.prompty", prompty("{{other}}", inputs=("other",)))
    assert house.fails("publish", TRIAGE, code=1).startswith("The draft refuses variables that v4 takes: ")
    put(house.prompts, f"{TRIAGE}/draft.prompty", prompty("{{tickett}}"))
    assert f"{TRIAGE}/draft.prompty:" in house.fails("publish", TRIAGE, code=1)
    (house.prompts / TRIAGE / "draft.prompty").unlink()
    place = house.prompts / TRIAGE / "draft.prompty"
    assert house.fails("publish", TRIAGE) == f"There is no draft to publish: write {place}"
    assert (house.prompts / "prompts.lock").read_bytes() == lock


def test_promote_moves_a_label_and_enters_who_and_why(house: House) -> None:
    out = house.out("promote", TRIAGE, "production", "v2", *WHY)
    assert out == f"{TRIAGE}@production stands for v2 (before: v1): visible to every gateway within a second.\n"
    assert standing(house) == "production=v2"
    seed, moved = house.entered()
    assert (seed["label"], seed["version"], seed["by"]) == ("production", "v1", "seed")
    assert (moved["from"], moved["version"], moved["by"], moved["why"]) == ("v1", "v2", ME, "it sorts better")
    assert moved["log"] == "cli"


def test_promote_tells_programs_how_it_moved(house: House) -> None:
    moved = house.data("promote", TRIAGE, "next", "v3", *WHY, "--report", "eval-17")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moved.pop("at"))
    assert moved == {
        "seq": 2, "prompt": TRIAGE, "label": "next", "before": None, "version": "v3", "canary": None, "percent": 0,
        "sticky": None, "by": ME, "why": "it sorts better", "report": "eval-17",
    }  # fmt: skip


def test_a_canary_runs_beside_the_version_that_the_label_has(house: House) -> None:
    out = house.out("promote", TRIAGE, "production", "v2", *WHY, "--percent", "10", "--sticky", "tenant")
    assert out.startswith(f"{TRIAGE}@production stands for v1, and for 10% of tenants for v2 (before: v1): ")
    moved = house.entered()[-1]
    assert (moved["version"], moved["canary"], moved["percent"], moved["sticky"]) == ("v1", "v2", 10, "tenant")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["support/triag", "production", "v2"], 'did you mean "support/triage"?'),
        ([TRIAGE, "production", "v9"], "There is no support/triage@v9: there are v1, v2, v3, draft"),
        ([TRIAGE, "production", "draft"], "run 'gatehouse prompts publish support/triage' first"),
        ([TRIAGE, "v7", "v2"], "A label is up to 64 of a-z, 0-9, _ and -"),
        ([TRIAGE, "Prod", "v2"], "A label is up to 64 of a-z, 0-9, _ and -"),
        ([TRIAGE, "next", "v2", "--percent", "5"], "stands for no version that a canary could run beside"),
        ([TRIAGE, "production", "v1", "--percent", "5"], "A canary is another published version"),
    ],
)
def test_what_cannot_be_promoted_is_wrong_use_and_moves_nothing(house: House, arguments: list[str], sentence: str) -> None:
    assert sentence in house.fails("promote", *arguments, *WHY)
    assert standing(house) == "production=v1"


def test_a_move_says_why(house: House) -> None:
    assert "Say why the label is moved" in house.fails("promote", TRIAGE, "production", "v2", "--why", "  ")
    assert "Missing option '--why'" in house.call("promote", TRIAGE, "production", "v2").stderr
    assert house.entered() == []


def test_nothing_moves_that_cannot_be_entered(house: House) -> None:
    house.out("promote", TRIAGE, "production", "v2", *WHY)
    slot = house.store / "log" / "cli"
    (slot / "log.sqlite3").write_bytes(b"no database" * 100)
    house.fails("promote", TRIAGE, "production", "v3", *WHY)
    assert standing(house) == "production=v2"


def test_rollback_goes_back_to_the_version_before_or_the_one_that_is_named(house: House) -> None:
    for version in ("v2", "v3"):
        house.out("promote", TRIAGE, "production", version, *WHY)
    assert house.out("rollback", TRIAGE, "production", *WHY).startswith(f"{TRIAGE}@production stands for v2 (before: v3): ")
    assert house.data("rollback", TRIAGE, "production", "--to", "v3", *WHY)["version"] == "v3"
    assert house.data("rollback", TRIAGE, "production", "--to", "v1", *WHY)["before"] == "v3"
    assert standing(house) == "production=v1"
    assert [each["version"] for each in house.entered()] == ["v1", "v2", "v3", "v2", "v3", "v1"]


def test_rollback_ends_a_canary(house: House) -> None:
    house.out("promote", TRIAGE, "production", "v2", *WHY, "--percent", "50")
    moved = house.data("rollback", TRIAGE, "production", *WHY)
    assert (moved["version"], moved["canary"], moved["percent"]) == ("v1", None, 0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["support/triag", "production"], 'did you mean "support/triage"?'),
        ([TRIAGE, "nowhere"], "There is no such label: 'gatehouse prompts list' shows the labels of each prompt"),
        ([TRIAGE, "production"], "The label has stood for one version only: there is nothing to roll back to"),
        ([TRIAGE, "production", "--to", "v9"], "There is no support/triage@v9"),
    ],
)
def test_what_cannot_be_rolled_back_is_wrong_use(house: House, arguments: list[str], sentence: str) -> None:
    house.out("promote", TRIAGE, "next", "v2", *WHY)
    assert sentence in house.fails("rollback", *arguments, *WHY)


def test_a_label_is_not_rolled_back_to_what_it_never_stood_for(house: House) -> None:
    house.out("promote", TRIAGE, "production", "v2", *WHY)
    said = house.fails("rollback", TRIAGE, "production", "--to", "v3", *WHY)
    assert said == "The label never stood for that version before: promote it instead"


def test_a_version_that_is_gone_is_not_rolled_back_to(house: House) -> None:
    house.out("promote", TRIAGE, "production", "v2", *WHY)
    (house.prompts / TRIAGE / "v1.prompty").unlink()
    assert "There is no such label" in house.fails("rollback", TRIAGE, "production", *WHY)
    assert standing(house) == "production=v2"


def test_history_lists_moves_latest_first(house: House) -> None:
    house.out("promote", TRIAGE, "production", "v2", *WHY)
    house.out("promote", TRIAGE, "production", "v3", "--why", "a few", "--percent", "5")
    house.out("promote", TRIAGE, "next", "v3", "--why", "try\nit")
    lines = house.out("history", TRIAGE).splitlines()
    assert lines[0].split() == ["TIME", "LABEL", "FROM", "TO", "CANARY", "BY", "WHY"]
    rows = [re.sub(r" {2,}", "|", re.sub(r"^\S+ +", "", line)) for line in lines[1:]]
    assert rows == [
        f"next|-|v3|-|{ME}|try it",
        f"production|v2|v2|5% v3|{ME}|a few",
        f"production|v1|v2|-|{ME}|it sorts better",
        "production|-|v1|-|seed",
    ]
    assert [move["label"] for move in house.data("history", TRIAGE, "next")] == ["next"]


def test_history_says_when_nothing_was_moved_and_what_is_not_there(house: House) -> None:
    result = house.call("history", TRIAGE)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No label was moved yet.\n")
    assert house.data("history", TRIAGE) == []
    assert 'did you mean "support/triage"?' in house.fails("history", "support/triag")
    assert "'triage' is no prompt: write '<namespace>/<name>'" in house.fails("history", "triage")
    assert "There is no such label" in house.fails("history", TRIAGE, "v7")
