"""Every tenant's keys have numbers that are never used again, and the first is made once."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from gateway.audit.vault.tenants import TenantKeys, Wrap, WrappedKey, open_tenant_keys, read_tenant_keys


def wrap(version: int) -> bytes:
    return f"key {version}".encode()


@pytest.fixture
def table(tmp_path: Path) -> TenantKeys:
    return open_tenant_keys(tmp_path)


def test_the_first_key_is_made_once(table: TenantKeys) -> None:
    assert table.newest("acme") is None
    first = table.first("acme", root="r1", wrap=wrap)
    assert first == WrappedKey(1, "acme", "r1", b"key 1")
    assert table.first("acme", root="r2", wrap=wrap) == table.newest("acme") == first
    table.close()


def test_later_keys_are_newer_and_old_ones_stay(table: TenantKeys) -> None:
    first = table.first("acme", root="r1", wrap=wrap)
    other = table.first("globex", root="r1", wrap=wrap)
    second = table.add("acme", root="r2", wrap=wrap)
    assert (first.version, other.version, second.version) == (1, 2, 3)
    assert table.newest("acme") == second
    assert table.find("acme", 1) == first
    assert table.find("acme", 3) == second
    assert table.roots() == {"r1", "r2"}
    table.close()


def test_one_tenant_never_finds_anothers_key(table: TenantKeys) -> None:
    table.first("acme", root="r1", wrap=wrap)
    table.first("globex", root="r1", wrap=wrap)
    assert table.find("acme", 2) is None
    assert table.find("globex", 1) is None
    assert table.find("", 1) is None
    table.close()


def test_a_number_is_not_used_again_after_erasing(tmp_path: Path, table: TenantKeys) -> None:
    table.first("acme", root="r1", wrap=wrap)
    table.add("acme", root="r1", wrap=wrap)
    table._connection.execute("DELETE FROM tenant_keys WHERE tenant = 'acme'")
    table.close()
    table = open_tenant_keys(tmp_path)
    assert table.roots() == set()
    assert table.first("acme", root="r1", wrap=wrap).version == 3
    table.close()


def test_a_key_that_cannot_be_wrapped_leaves_nothing(table: TenantKeys) -> None:
    def fail(version: int) -> bytes:
        raise OSError(f"no entropy for {version}")

    with pytest.raises(OSError, match="no entropy for 1"):
        table.first("acme", root="r1", wrap=fail)
    assert table.newest("acme") is None
    assert table.first("acme", root="r1", wrap=wrap).version == 1
    table.close()


def test_of_several_at_once_one_makes_it(tmp_path: Path) -> None:
    together = threading.Barrier(6)
    found: list[WrappedKey] = []

    class Late(TenantKeys):
        def first(self, tenant: str, *, root: str, wrap: Wrap) -> WrappedKey:
            assert self.newest(tenant) is None
            together.wait(timeout=20)  # all have seen that there is none
            return super().first(tenant, root=root, wrap=wrap)

    tables = [Late(open_tenant_keys(tmp_path)._connection) for _ in range(6)]
    threads = [
        threading.Thread(target=lambda each=each: found.append(each.first("acme", root="r", wrap=lambda _: b"%d" % id(each))))
        for each in tables
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert found[0].version == 1
    for each in tables:
        each.close()


def test_a_reader_finds_but_makes_nothing(tmp_path: Path, table: TenantKeys) -> None:
    first = table.first("acme", root="r1", wrap=wrap)
    reader = read_tenant_keys(tmp_path)
    assert reader.find("acme", 1) == first
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.add("acme", root="r1", wrap=wrap)
    reader.close()
    table.close()
