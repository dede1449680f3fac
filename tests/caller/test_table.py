"""The table of keys behaves the same on both engines, and never lets a silent database pass for an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, insert, text, update

from gateway.caller.table import ROLES, KeyRecord, KeyTable
from gateway.errors import SettingsError, Unavailable
from gateway.settings.tree import Store
from gateway.store.migrate import open_store
from gateway.store.schema import api_keys

NOW = 1_800_000_000
KEY = KeyRecord(
    id="aaaaaaaaaaaa",
    digest=bytes(range(32)),
    pepper="p" * 16,
    tenant="acme",
    app="billing",
    role="auditor",
    created=NOW,
    expires=NOW + 60,
    revoked=None,
)

COLUMNS = [column.name for column in api_keys.columns]


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    engine = open_store(store)
    yield engine
    engine.dispose()


def put(engine: Engine, *records: KeyRecord) -> None:
    with engine.begin() as connection:
        for record in records:
            connection.execute(insert(api_keys).values({name: getattr(record, name) for name in COLUMNS}))


def test_a_record_is_found_as_it_was_put(engine: Engine) -> None:
    other = replace(KEY, id="bbbbbbbbbbbb", app=None, role="app", expires=None, revoked=NOW + 5)
    put(engine, KEY, other)
    assert (KeyTable(engine).find(KEY.id), KeyTable(engine).find(other.id)) == (KEY, other)


@pytest.mark.parametrize("key_id", ["", "bbbbbbbbbbbb", "AAAAAAAAAAAA", "' OR 1=1 --", "a" * 100_000, "é"])
def test_what_is_not_there_is_not_found(engine: Engine, key_id: str) -> None:
    put(engine, KEY)
    assert KeyTable(engine).find(key_id) is None


def test_the_list_is_whole_and_oldest_first(engine: Engine) -> None:
    records = [replace(KEY, id=f"{n:012}", created=NOW - n, revoked=NOW if n % 2 else None) for n in range(20)]
    put(engine, *records)
    assert KeyTable(engine).list() == tuple(reversed(records))


def test_revoking_is_for_good_and_keeps_its_time(engine: Engine) -> None:
    put(engine, KEY, replace(KEY, id="bbbbbbbbbbbb"))
    clock = iter([NOW + 1.9, NOW + 100])
    table = KeyTable(engine, now=lambda: next(clock))
    assert table.revoke(KEY.id) == table.revoke(KEY.id) == table.find(KEY.id) == replace(KEY, revoked=NOW + 1)
    assert table.find("bbbbbbbbbbbb") == replace(KEY, id="bbbbbbbbbbbb")


def test_revoking_what_is_not_there_is_said(engine: Engine) -> None:
    assert KeyTable(engine).revoke("bbbbbbbbbbbb") is None


def test_who_listens_hears_of_a_revocation_after_it_is_stored(engine: Engine) -> None:
    put(engine, KEY)
    table = KeyTable(engine)
    heard: list[tuple[str, bool]] = []

    def hear(key_id: str) -> None:
        found = KeyTable(engine).find(key_id)
        heard.append((key_id, found is not None and found.revoked is not None))

    table.when_revoked(hear)
    table.revoke(KEY.id)
    assert heard == [(KEY.id, True)]


@pytest.mark.parametrize(
    ("expires", "revoked", "live"),
    [
        (None, None, True),
        (NOW + 1, None, True),
        (NOW, None, False),
        (NOW - 1, None, False),
        (None, NOW - 1, False),
        (NOW + 1, NOW - 1, False),
    ],
)
def test_a_key_is_live_until_it_is_revoked_or_its_second_has_come(
    engine: Engine, expires: int | None, revoked: int | None, live: bool
) -> None:
    record = replace(KEY, expires=expires, revoked=revoked)
    put(engine, record)
    assert (record.live(NOW), KeyTable(engine, now=lambda: NOW).any_live()) == (live, live)


def test_keys_under_other_peppers_are_told_apart(engine: Engine) -> None:
    table = KeyTable(engine, now=lambda: NOW)
    assert not table.any_live()
    put(engine, KEY)
    assert (table.any_live(not_under=KEY.pepper), table.any_live(not_under="q" * 16)) == (False, True)


def test_there_is_a_role_for_every_kind_of_caller(engine: Engine) -> None:
    records = [replace(KEY, id=role[:12], role=role) for role in ROLES]
    put(engine, *records)
    assert {record.role for record in KeyTable(engine).list()} == set(ROLES)


def test_an_unknown_role_admits_nobody(engine: Engine) -> None:
    put(engine, KEY)
    with engine.begin() as connection:
        connection.execute(update(api_keys).values(role="emperor"))
    with pytest.raises(SettingsError, match="The key aaaaaaaaaaaa has a role that this program does not know"):
        KeyTable(engine).find(KEY.id)


def test_a_digest_is_not_shown_by_accident() -> None:
    assert repr(KEY.digest) not in repr(KEY)


def test_without_its_table_the_database_is_unavailable(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE api_keys"))
    table = KeyTable(engine)
    for ask in (lambda: table.find("a"), table.list, lambda: table.revoke("a"), table.any_live):
        with pytest.raises(Unavailable, match=r"^The key database does not answer; try again\.$") as caught:
            ask()
        assert caught.value.retry_after == 1.0
        assert "api_keys" not in caught.value.reason


def test_a_failed_revocation_is_not_told(engine: Engine) -> None:
    heard: list[str] = []
    table = KeyTable(engine)
    table.when_revoked(heard.append)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE api_keys"))
    with pytest.raises(Unavailable):
        table.revoke(KEY.id)
    assert heard == []
