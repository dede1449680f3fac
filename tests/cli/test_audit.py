"""`gatehouse audit`: search, show and verify, and what each role may see at the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.audit.search.archive import Archive
from gateway.audit.search.filters import Filters
from gateway.audit.search.rights import View
from gateway.caller.keys import open_keys
from gateway.cli.audit import KEY, app
from gateway.exchange.caller import Role
from gateway.settings.load import load
from tests.audit.generated import Traffic, change, generate
from tests.audit.recorded import ANSWER, QUESTION, Said, record
from tests.audit.vault.kit import Store, flipped

TOML = """
[store]
path = "var"

[tenants.acme]
[tenants.beta]
"""


class House:
    """A configured store with exchanges of two tenants."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "gateway.toml"
        self.config.write_text(TOML)
        self.store = folder / "var"
        triage = Said("beta", app="billing", prompt="support/triage@v7")
        said = [Said(), triage, Said(result="failed", payloads="none"), Said("beta", route="embed")]
        self.ids = record(self.store, said)

    def key(self, tenant: str, role: Role) -> str:
        keys = open_keys(load(self.config).store)
        try:
            return keys.create(tenant, role=role)[0]
        finally:
            keys.close()

    def call(self, *arguments: str, key: str = "") -> Result:
        return CliRunner().invoke(app, [*arguments, "-c", str(self.config)], env={KEY: key or None})

    def data(self, *arguments: str, key: str = "") -> Any:
        result = self.call(*arguments, "--json", key=key)
        assert result.exit_code == 0, result.output
        return msgspec.json.decode(result.stdout)

    def fails(self, *arguments: str, key: str = "", code: int = 2) -> str:
        """Return the one line on stderr of a command that fails and prints nothing else."""
        result = self.call(*arguments, key=key)
        assert (result.exit_code, result.stdout) == (code, ""), result.output
        assert result.stderr.count("\n") == 1
        assert "Traceback" not in result.stderr
        return result.stderr.strip()

    def accesses(self) -> list[tuple[str, str]]:
        """Return who read what, as the log tells it."""
        data = Archive(self.store).search(Filters("access"), View(None, "", "operator")).data
        return [(each.fields["id"], each.fields["reason"]) for each in data if not hasattr(each, "tenant")]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_search_lists_what_is_found_latest_first(house: House) -> None:
    result = house.call("search")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["TIME", "ID", "TENANT", "APP", "ROUTE", "PROMPT", "OUTCOME", "TOKENS", "MS"]
    assert [line.split()[1] for line in lines[1:]] == house.ids[::-1]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  \S+  beta    billing  chat   support/triage@v7  complete  11\+22   \d+", lines[3]
    )
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--tenant", "beta"], [3, 1]),
        (["--tenant", "beta", "--app", "billing"], [1]),
        (["--route", "embed"], [3]),
        (["--outcome", "failed"], [2]),
        (["--prompt", "support/triage"], [1]),
        (["--prompt", "support/triage@v7", "--tenant", "beta"], [1]),
        (["--prompt", "support/triage@v8"], []),
        (["--since", "1h"], [3, 2, 1, 0]),
        (["--until", "1h"], []),
        (["--until", "2100-01-01", "--since", "2020-01-01T00:00:00Z"], [3, 2, 1, 0]),
        (["--tenant", "nobody"], []),
    ],
)
def test_search_takes_filters(house: House, arguments: list[str], expected: list[int]) -> None:
    page = house.data("search", *arguments)
    assert [each["id"] for each in page["data"]] == [house.ids[number] for number in expected]
    assert (page["next"], page["damaged"]) == (None, 0)


def test_search_goes_on_where_the_page_before_ended(house: House) -> None:
    first = house.data("search", "--limit", "3")
    second = house.data("search", "--limit", "3", "--after", first["next"])
    assert [each["id"] for each in first["data"] + second["data"]] == house.ids[::-1]
    assert second["next"] is None
    assert f"--after {first['next']}" in house.call("search", "--limit", "3").stderr


def test_search_says_when_nothing_is_found(house: House) -> None:
    result = house.call("search", "--tenant", "nobody")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing was found.\n")


def test_search_says_when_something_is_damaged(house: House) -> None:
    change(house.store / "log" / "0", "UPDATE commits SET leaves = zeroblob(length(leaves)) WHERE first = 0")
    assert "2 damaged places of the log are left out: run 'gatehouse audit verify'" in house.call("search").stderr


def test_search_finds_what_else_the_log_tells(house: House) -> None:
    (genesis,) = house.data("search", "--kind", "genesis")["data"]
    assert (genesis["log"], genesis["index"], genesis["kind"]) == ("0", 0, "genesis")
    result = house.call("search", "--kind", "genesis")
    assert result.stdout.splitlines()[0].split() == ["TIME", "LOG", "INDEX", "FIELDS"]
    assert '"slot":"0"' in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "yesterday"], "--since: write a day or time such as"),
        (["--until", "7w"], "--until: write a day or time such as"),
        (["--prompt", "triage"], "--prompt: write a prompt's id, or a version of it such as 'support/triage@v7'"),
        (["--prompt", "support/triage@production"], "--prompt: write a prompt's id"),
        (["--after", "nothing"], "--after: give the 'next' of the page before"),
    ],
)
def test_a_wrong_filter_is_wrong_use(house: House, arguments: list[str], words: str) -> None:
    assert words in house.fails("search", *arguments)


@pytest.mark.parametrize("option", ["--text", "--verdict"])
def test_filters_that_are_not_there_yet_are_unknown(house: House, option: str) -> None:
    result = house.call("search", option, "x")
    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_show_prints_a_page_without_plaintext(house: House) -> None:
    text = house.call("show", house.ids[0]).stdout
    assert text.startswith(f"Exchange {house.ids[0]}\n")
    assert "tenant acme" in text
    assert QUESTION not in text
    assert ANSWER not in text
    assert house.accesses() == []


def test_show_as_json_has_the_entries(house: House) -> None:
    shown = house.data("show", house.ids[1])
    assert [entry["fields"]["kind"] for entry in shown["entries"]] == ["begin", "end"]
    assert shown["exchange"]["tenant"] == "beta"
    assert "payload" not in shown


def test_an_auditor_with_a_reason_reads_the_plaintext_and_that_is_entered(house: House) -> None:
    key = house.key("acme", "auditor")
    text = house.call("show", house.ids[0], "--reason", "ticket 4711", key=key).stdout
    assert QUESTION in text
    assert ANSWER in text
    assert "role auditor: ticket 4711" in " ".join(text.split())
    assert house.accesses() == [(house.ids[0], "ticket 4711")]
    shown = house.data("show", house.ids[0], "--reason", "again", key=key)
    assert {part["name"]: part["text"].encode() for part in shown["payload"]} == Said().parts
    assert [entry["fields"]["kind"] for entry in shown["entries"]] == ["begin", "end", "access", "access"]
    assert [entry["log"] for entry in shown["entries"]] == ["0", "0", "cli", "cli"]
    assert house.call("verify").exit_code == 0


def test_the_access_is_entered_before_the_payload_is_opened(house: House) -> None:
    (path,) = (house.store / "payloads" / "0").iterdir()
    path.unlink()
    key = house.key("acme", "auditor")
    assert "there is no file" in house.fails("show", house.ids[0], "--reason", "ticket", key=key, code=1)
    assert house.accesses() == [(house.ids[0], "ticket")]


def test_where_the_access_cannot_be_entered_nothing_is_opened(house: House) -> None:
    key = house.key("acme", "auditor")
    (house.store / "log" / "cli").write_text("in the way")
    said = house.fails("show", house.ids[0], "--reason", "ticket", key=key)
    assert QUESTION not in said
    assert "cannot be written" in said


def test_a_reason_needs_an_auditor_s_key(house: House) -> None:
    assert f"put a key of role auditor into {KEY}" in house.fails("show", house.ids[0], "--reason", "why")
    operator = house.key("acme", "operator")
    assert "for auditors" in house.fails("show", house.ids[0], "--reason", "why", key=operator)
    auditor = house.key("acme", "auditor")
    assert "--reason: Say why" in house.fails("show", house.ids[0], "--reason", " ", key=auditor)
    assert "No payload" in house.fails("show", house.ids[2], "--reason", "why", key=auditor, code=1)
    assert house.accesses() == []


def test_a_payload_whose_key_was_destroyed_cannot_be_shown(house: House) -> None:
    Store(house.store).change("DELETE FROM record_keys WHERE tenant = 'acme'")
    key = house.key("acme", "auditor")
    assert "its key is not in" in house.fails("show", house.ids[0], "--reason", "why", key=key, code=1)
    assert house.call("verify").exit_code == 0


ROLES: list[Role] = ["app", "prompt-engineer", "operator", "auditor", "erasure-officer"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("tenant", ["acme", "beta"])
def test_roles_and_tenants(house: House, role: Role, tenant: str) -> None:
    key = house.key(tenant, role)
    other = "beta" if tenant == "acme" else "acme"
    found = {each["tenant"] for each in house.data("search", key=key)["data"]}
    asked = {each["tenant"] for each in house.data("search", "--tenant", other, key=key)["data"]}
    shown = {number for number, exchange in enumerate(house.ids) if house.call("show", exchange, key=key).exit_code == 0}
    own = {0, 2} if tenant == "acme" else {1, 3}
    if role == "auditor":
        assert (found, asked, shown) == ({tenant}, set(), own)
        foreign = house.ids[1 if tenant == "acme" else 0]
        assert "There is no exchange" in house.fails("show", foreign, key=key, code=1)
        assert "There is no exchange" in house.fails("show", foreign, "--reason", "why", key=key, code=1)
    else:  # the machine's operator, who reads these files anyway
        assert (found, asked, shown) == ({"acme", "beta"}, {other}, {0, 1, 2, 3})
        noted = "which counts for nothing here" in house.call("search", key=key).stderr
        assert noted == (role != "operator")
        for exchange in house.ids:
            assert "for auditors" in house.call("show", exchange, "--reason", "why", key=key).stderr
    assert house.accesses() == []


def test_a_key_that_is_not_valid_is_refused(house: House) -> None:
    key = house.key("acme", "auditor")
    for wrong in ("gth_nonsense", key[:-1] + ("A" if key[-1] != "A" else "B")):
        said = house.fails("search", key=wrong)
        assert said.startswith(f"{KEY}: the key is not valid")
        assert wrong not in said


@pytest.mark.parametrize("exchange", ["nothing", "", "0199c0de-0000-7000-8000-000000000001", "\x1b[2J"])
def test_an_exchange_that_is_not_there_is_said_so(house: House, exchange: str) -> None:
    said = house.fails("show", exchange, code=1)
    assert said.startswith("There is no exchange")
    assert "\x1b" not in said


def test_verify_says_in_a_sentence_that_all_is_well(house: House) -> None:
    result = house.call("verify")
    assert (result.exit_code, result.stdout) == (0, "11 entries of 4 exchanges: all is as it was written.\n")
    assert house.data("verify") == {"ok": True, "entries": 11, "exchanges": 4, "problems": []}


def test_verify_needs_no_configuration_where_it_is_given_a_folder(house: House) -> None:
    house.config.unlink()
    for path in (house.store, house.store / "log" / "0"):
        assert house.call("verify", str(path)).exit_code == 0
    assert "gateway.toml" in house.fails("verify")
    assert "There is no log in" in house.fails("verify", str(house.store / "keys"))


def test_verify_tells_every_problem_with_kind_place_and_detail(house: House) -> None:
    (path,) = (house.store / "payloads" / "0").iterdir()
    path.write_bytes(flipped(path.read_bytes(), 8 * 100))
    result = house.call("verify", "--json")
    report = msgspec.json.decode(result.stdout)
    assert result.exit_code == 1
    assert (report["ok"], report["exchanges"]) == (False, 4)
    assert [set(problem) for problem in report["problems"]] == [{"kind", "where", "detail"}]
    text = house.call("verify")
    assert text.exit_code == 1
    first, last = text.stdout.splitlines()
    assert first.startswith(f"payload: payloads/0/{path.name}: bytes 0 to ")
    assert last.endswith("entries of 4 exchanges: 1 problems.")


def test_verify_shows_no_more_problems_than_can_be_read(house: House) -> None:
    later = 4_000_000_000_000_000  # in the future, which is a problem of each entry
    generate(house.store / "later", Traffic(600, since=later))
    result = house.call("verify", str(house.store / "later"))
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1002
    assert re.fullmatch(r"and \d+ more", result.stdout.splitlines()[-2])
