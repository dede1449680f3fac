"""`gatehouse keys` makes, lists and revokes keys, and says in one sentence what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.audit.place import Seams
from gateway.audit.search.archive import Archive, Note
from gateway.audit.search.filters import Filters
from gateway.audit.search.rights import View
from gateway.audit.verify.logs import verify
from gateway.caller.keys import open_keys
from gateway.cli.entering import entering, operator
from gateway.cli.keys import app
from gateway.errors import Unavailable
from gateway.settings.load import load
from tests.audit.faulty import Faults

SETTINGS = """
[tenants.acme.apps.billing]
[tenants.beta]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(SETTINGS)
    return file


def call(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "-c", str(config)])


def done(config: Path, *arguments: str) -> str:
    result = call(config, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def data(config: Path, *arguments: str) -> Any:
    return msgspec.json.decode(done(config, *arguments, "--json"))


def fails(config: Path, *arguments: str, code: int = 2) -> str:
    """Return the one line on stderr of a command that fails and prints nothing else."""
    result = call(config, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    return result.stderr.strip()


def test_a_created_key_is_alone_on_stdout(config: Path) -> None:
    result = call(config, "create", "--tenant", "acme")
    assert re.fullmatch(r"gth_[a-z2-7]{12}_[0-9A-Za-z]{49}\n", result.stdout)
    key_id = result.stdout[4:16]
    assert result.stderr == f"Key {key_id} for tenant acme, role app, valid until revoked; it is shown this once:\n"


def test_a_created_key_can_be_had_as_json(config: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    made = data(config, "create", "--tenant", "acme", "--app", "billing", "--role", "auditor", "--expires", "90d")
    assert list(made) == ["id", "key", "tenant", "app", "role", "expires"]
    assert made["key"].startswith(f"gth_{made['id']}_")
    assert (made["tenant"], made["app"], made["role"]) == ("acme", "billing", "auditor")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["expires"])
    assert timedelta(0) <= datetime.fromisoformat(made["expires"]) - before - timedelta(days=90) < timedelta(minutes=1)


def test_a_created_key_opens_the_door(config: Path) -> None:
    made = data(config, "create", "--tenant", "beta")
    keys = open_keys(load(config).store)
    record = keys.find(made["id"])
    assert record is not None
    assert (record.digest, record.tenant, record.app) == (keys.pepper.digest(made["key"]), "beta", None)
    keys.close()


def test_keys_are_listed_with_their_state_and_never_their_secret(config: Path) -> None:
    assert data(config, "list") == []
    active = data(config, "create", "--tenant", "acme", "--app", "billing")
    expired = data(config, "create", "--tenant", "beta", "--expires", "1d")
    keys = open_keys(load(config).store)
    with keys.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE api_keys SET expires = 1, created = created - 100 WHERE tenant = 'beta'")
    keys.close()
    listed = data(config, "list")
    assert [(key["id"], key["state"], key["expires"]) for key in listed] == [
        (expired["id"], "expired", "1970-01-01T00:00:01Z"),
        (active["id"], "active", None),
    ]
    assert active["key"][17:] not in done(config, "list", "--json")


def test_the_list_for_people_is_a_table(config: Path) -> None:
    made = data(config, "create", "--tenant", "acme", "--app", "billing")
    head, row = done(config, "list").splitlines()
    assert head.split() == ["ID", "TENANT", "APP", "ROLE", "CREATED", "EXPIRES", "STATE"]
    assert row.split()[:4] + row.split()[5:] == [made["id"], "acme", "billing", "app", "never", "active"]
    assert head.index("STATE") == row.index("active")


def test_a_revoked_key_stays_listed_as_revoked(config: Path) -> None:
    made = data(config, "create", "--tenant", "acme")
    assert done(config, "revoke", made["id"]).startswith(f"Key {made['id']} is revoked since ")
    (listed,) = data(config, "list")
    assert listed["state"] == "revoked"
    assert data(config, "revoke", made["id"]) == listed


def changes(config: Path) -> list[dict[str, Any]]:
    """Return what the log tells of keys, the oldest first, without its times."""
    store = load(config).store.path
    page = Archive(store).search(Filters("caller"), View(None, "", "operator"))
    assert verify(store, now=time.time()).ok
    fields = [each.fields for each in reversed(page.data) if isinstance(each, Note)]
    return [{name: value for name, value in each.items() if name not in {"v", "at", "mono", "kind"}} for each in fields]


def test_a_key_s_making_and_its_end_are_entered(config: Path) -> None:
    plain = data(config, "create", "--tenant", "beta")
    made = data(config, "create", "--tenant", "acme", "--app", "billing", "--role", "auditor", "--expires", "90d")
    done(config, "revoke", plain["id"])
    expires = int(datetime.fromisoformat(made["expires"]).timestamp()) * 10**6
    acme = {"app": "billing", "expires": expires, "key": made["id"], "role": "auditor", "tenant": "acme"}
    beta = {"key": plain["id"], "role": "app", "tenant": "beta"}
    assert changes(config) == [
        beta | {"action": "created", "by": operator()},
        acme | {"action": "created", "by": operator()},
        beta | {"action": "revoked", "by": operator()},
    ]


def test_nothing_of_a_key_s_secret_is_in_the_log(config: Path) -> None:
    made = data(config, "create", "--tenant", "acme")
    for path in (config.parent / "var" / "log" / "cli").iterdir():
        assert made["key"][17:].encode() not in path.read_bytes()


def in_the_way(config: Path) -> Path:
    """Keep the command line's log from being opened."""
    folder = config.parent / "var" / "log"
    folder.mkdir(parents=True)
    path = folder / "cli"
    path.write_text("in the way")
    return path


def test_where_the_log_cannot_be_opened_no_key_is_made(config: Path) -> None:
    in_the_way(config)
    assert "log/cli cannot be written" in fails(config, "create", "--tenant", "acme")
    assert data(config, "list") == []


def test_where_the_log_fails_there_is_no_key(config: Path) -> None:
    settings, faults = load(config), Faults()
    with closing(open_keys(settings.store)) as keys:
        with entering(settings, seams=Seams(connect=faults.connect, ballast=0)) as log:
            faults.next_write = "SQLITE_FULL"
            with pytest.raises(Unavailable) as caught:
                keys.create("acme", enter=log.key_created)
            assert caught.value.code == "audit_unavailable"
        assert keys.list() == ()
    assert changes(config) == []


def test_a_key_is_revoked_though_the_log_cannot_be_written_and_that_is_said(config: Path) -> None:
    keys = open_keys(load(config).store)
    _, record = keys.create("acme")
    keys.close()
    path = in_the_way(config)
    for arguments in ([], ["--json"]):
        result = call(config, "revoke", record.id, *arguments)
        assert result.exit_code == 1
        assert record.id in result.stdout
        assert re.fullmatch(
            r"The log does not tell of it: .*cannot be written: .*\. Put that right, then repeat the command\.\n", result.stderr
        )
        assert [key["state"] for key in data(config, "list")] == ["revoked"]
    path.unlink()
    done(config, "revoke", record.id)
    assert [each["action"] for each in changes(config)] == ["revoked"]


def test_an_unknown_id_is_not_entered(config: Path) -> None:
    data(config, "create", "--tenant", "acme")
    fails(config, "revoke", "abc")
    assert [each["action"] for each in changes(config)] == ["created"]


def test_an_unknown_id_cannot_be_revoked(config: Path) -> None:
    assert fails(config, "revoke", "abc") == "There is no key 'abc': 'gatehouse keys list' shows the ids"


def test_keys_can_be_listed_and_revoked_when_the_pepper_is_lost(config: Path) -> None:
    made = data(config, "create", "--tenant", "acme")
    (config.parent / "var" / "pepper").unlink()
    assert "is missing while keys exist" in fails(config, "create", "--tenant", "acme")
    assert [key["id"] for key in data(config, "list")] == [made["id"]]
    done(config, "revoke", made["id"])
    done(config, "create", "--tenant", "acme")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tenant", "acne"], "no tenant is named 'acne': did you mean 'acme'?"),
        (["--tenant", "zzz"], "no tenant is named 'zzz': there are acme, beta"),
        (["--tenant", "acme", "--app", "biling"], "no app of tenant acme is named 'biling': did you mean 'billing'?"),
        (["--tenant", "beta", "--app", "x"], "no app of tenant beta is named 'x': add a section [tenants.beta.apps.NAME]"),
    ],
)
def test_a_tenant_or_app_that_is_not_configured_is_refused_with_the_nearest_name(
    config: Path, arguments: list[str], says: str
) -> None:
    assert fails(config, "create", *arguments) == f"{config}: {says}"
    assert not (config.parent / "var").exists()


@pytest.mark.parametrize("length", ["0d", "-1d", "90", "d", "3661d", "9" * 400 + "d", "nan", "1e9s", ""])
def test_a_length_that_cannot_be_is_refused(config: Path, length: str) -> None:
    assert fails(config, "create", "--tenant", "acme", f"--expires={length}").startswith(
        "--expires: must be a duration of at most"
    )


@pytest.mark.parametrize("arguments", [["create"], ["create", "--tenant", "acme", "--role", "emperor"], ["revoke"], ["nothing"]])
def test_wrong_use_exits_with_2(config: Path, arguments: list[str]) -> None:
    result = call(config, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_a_missing_configuration_is_one_sentence(tmp_path: Path) -> None:
    for arguments in (["create", "--tenant", "acme"], ["list"], ["revoke", "x"]):
        assert str(tmp_path / "gateway.toml") in fails(tmp_path / "gateway.toml", *arguments)


def test_a_database_that_does_not_answer_is_one_sentence(config: Path) -> None:
    data(config, "create", "--tenant", "acme")
    keys = open_keys(load(config).store)
    with keys.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE api_keys")
    keys.close()
    assert fails(config, "list", code=1) == "The key database does not answer; try again."


def test_the_command_line_loads_no_database_until_it_is_asked() -> None:
    program = "import sys, gateway.cli.keys; raise SystemExit(bool({'sqlalchemy', 'gateway.audit.log'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
