"""Every process uses the same keys for a tenant, and nobody else's key is ever one of them."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.vault.errors import PayloadDamaged, PayloadErased
from gateway.audit.vault.keyring import Keyring, open_keyring, read_keyring
from gateway.audit.vault.recordkey import TenantKey
from gateway.errors import SettingsError
from tests.audit.vault.kit import Disk, Faulty, Store, flipped


def mark(key: TenantKey) -> tuple[str, int, bytes]:
    """Return what tells keys apart."""
    return key.tenant, key.version, hashlib.sha256(key.wrap(bytes(32))).digest()


def test_a_tenants_key_is_made_at_its_first_use(tmp_path: Path) -> None:
    keyring = open_keyring(tmp_path)
    assert keyring.held("acme") is None
    made = keyring.prepare("acme")
    assert keyring.held("acme") is keyring.prepare("acme") is made
    assert mark(keyring.find("acme", made.version)) == mark(made)
    keyring.close()
    again = open_keyring(tmp_path)
    assert mark(again.prepare("acme")) == mark(made)
    again.close()


def test_tenants_have_keys_of_their_own(tmp_path: Path) -> None:
    keyring = open_keyring(tmp_path)
    keys = [keyring.prepare(f"tenant-{number}") for number in range(50)]
    assert len({key.version for key in keys}) == 50
    assert len({key.wrap(bytes(32)) for key in keys}) == 50
    keyring.close()


def test_a_rotation_is_used_at_once_here_and_after_a_refresh_elsewhere(tmp_path: Path) -> None:
    here, elsewhere = open_keyring(tmp_path), open_keyring(tmp_path)
    old = here.prepare("acme")
    elsewhere.prepare("acme")
    new = here.rotate("acme")
    assert new.version > old.version
    assert here.held("acme") is new
    assert mark(elsewhere.prepare("acme")) == mark(old)
    assert mark(elsewhere.refresh("acme")) == mark(new)
    held = elsewhere.held("acme")
    assert held is not None
    assert mark(held) == mark(new)
    assert mark(elsewhere.find("acme", old.version)) == mark(old)
    here.close()
    elsewhere.close()


def test_processes_that_use_a_tenant_for_the_first_time_at_once_agree(tmp_path: Path) -> None:
    program = (
        "import hashlib, sys; from pathlib import Path; from gateway.audit.vault.keyring import open_keyring\n"
        "sys.stdin.read(1)\n"
        "keyring = open_keyring(Path(sys.argv[1]))\n"
        "key = keyring.prepare('acme')\n"
        "print(key.version, hashlib.sha256(key.wrap(bytes(32))).hexdigest())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
    said = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    assert len({out for out, _ in said}) == 1
    keyring = open_keyring(tmp_path)
    assert said[0][0].decode().split() == ["1", hashlib.sha256(keyring.prepare("acme").wrap(bytes(32))).hexdigest()]
    keyring.close()


def test_threads_that_use_a_tenant_for_the_first_time_at_once_agree(tmp_path: Path) -> None:
    keyring = open_keyring(tmp_path)
    together = threading.Barrier(8)
    found: list[TenantKey] = []

    def use() -> None:
        together.wait(timeout=20)
        found.append(keyring.prepare("acme"))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({mark(key) for key in found}) == 1
    keyring.close()


def test_a_key_that_is_gone_is_erased(tmp_path: Path) -> None:
    store = Store(tmp_path)
    version = store.keyring.prepare("acme").version
    store.change("DELETE FROM tenant_keys WHERE tenant = 'acme'", database="tenants.sqlite3")
    with pytest.raises(PayloadErased, match=rf"^there is no key {version} of tenant 'acme'$"):
        store.keyring.find("acme", version)
    assert store.keyring.refresh("acme").version > version
    store.close()


@pytest.mark.parametrize("bit", [0, 100, 300, 479])
def test_a_changed_key_is_found_out(tmp_path: Path, bit: int) -> None:
    store = Store(tmp_path)
    store.keyring.prepare("acme")
    with closing(sqlite3.connect(tmp_path / "keys" / "tenants.sqlite3")) as connection:
        ((wrapped,),) = connection.execute("SELECT wrapped FROM tenant_keys").fetchall()
    store.change("UPDATE tenant_keys SET wrapped = ?", flipped(wrapped, bit), database="tenants.sqlite3")
    with pytest.raises(PayloadDamaged, match=r"^key 1 of tenant 'acme' was changed"):
        store.keyring.find("acme", 1)
    with pytest.raises(PayloadDamaged, match=r"^key 1 of tenant 'acme' was changed"):
        store.keyring.refresh("acme")
    store.close()


def test_a_key_given_to_another_tenant_is_found_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keyring.prepare("acme")
    store.change("UPDATE tenant_keys SET tenant = 'globex'", database="tenants.sqlite3")
    with pytest.raises(PayloadDamaged, match=r"^key 1 of tenant 'globex' was changed"):
        store.keyring.prepare("globex")
    store.close()


def test_a_failed_connection_is_replaced(tmp_path: Path) -> None:
    faulty = Faulty()
    keyring = open_keyring(tmp_path, connect=faulty.connect)
    faulty.failing = "INSERT"
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        keyring.prepare("acme")
    assert keyring.held("acme") is None
    assert (faulty.opened, faulty.closed) == (1, 1)
    assert keyring.prepare("acme").version == 1
    assert faulty.opened == 2
    keyring.close()
    assert faulty.closed == 2


def test_a_closed_keyring_forgets_its_keys_and_opens_nothing(tmp_path: Path) -> None:
    keyring = open_keyring(tmp_path)
    keyring.prepare("acme")
    keyring.close()
    keyring.close()
    assert keyring.held("acme") is None
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        keyring.refresh("acme")


def test_a_missing_root_key_is_not_made_anew_while_it_wraps_keys(tmp_path: Path) -> None:
    _used(tmp_path).close()
    (tmp_path / "root.key").unlink()
    with pytest.raises(SettingsError, match="is missing while keys exist that it wraps: restore it from a backup"):
        open_keyring(tmp_path)
    assert not (tmp_path / "root.key").exists()


def test_another_root_key_is_found_out_at_the_start(tmp_path: Path) -> None:
    _used(tmp_path).close()
    (tmp_path / "root.key").write_bytes(bytes(32))
    with pytest.raises(SettingsError, match=r"^The root key .* wraps none of the keys in .*tenants\.sqlite3: restore the one"):
        open_keyring(tmp_path)


def test_a_root_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    _used(tmp_path).close()
    (tmp_path / "root.key").chmod(0o640)
    for opening in (open_keyring, read_keyring):
        with pytest.raises(SettingsError, match="is open to group or world"):
            opening(tmp_path)


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"tenants\.sqlite3 cannot be opened: unable to open"):
        read_keyring(tmp_path)
    assert list(tmp_path.iterdir()) == []
    open_keyring(tmp_path).close()
    (tmp_path / "root.key").unlink()
    with pytest.raises(SettingsError, match="is missing"):
        read_keyring(tmp_path)


def test_reading_finds_what_was_made(tmp_path: Path) -> None:
    keyring = _used(tmp_path)
    reader = read_keyring(tmp_path)
    assert mark(reader.find("acme", 1)) == mark(keyring.prepare("acme"))
    reader.close()
    keyring.close()


def test_a_database_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "tenants.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(SettingsError, match=r"^store\.path: .*tenants\.sqlite3 cannot be opened: file is not a database$"):
        open_keyring(tmp_path)
    (tmp_path / "keys" / "tenants.sqlite3").unlink()
    disk = Disk()
    disk.fail("folder")
    with pytest.raises(SettingsError, match=r"tenants\.sqlite3 cannot be opened: Input/output error$"):
        open_keyring(tmp_path, sync=disk.files.sync_folder)


def test_a_table_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    faulty = Faulty()
    faulty.failing = "SELECT DISTINCT"
    with pytest.raises(SettingsError, match=r"tenants\.sqlite3 cannot be read: disk I/O error$"):
        open_keyring(tmp_path, connect=faulty.connect)
    assert (faulty.opened, faulty.closed) == (1, 1)


def _used(store: Path) -> Keyring:
    keyring = open_keyring(store)
    keyring.prepare("acme")
    return keyring
