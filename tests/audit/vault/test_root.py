"""The root key opens what it wrapped, for the same tenant and version, and nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.audit.vault.errors import PayloadDamaged
from gateway.audit.vault.root import Root, load_root
from gateway.errors import SettingsError
from tests.audit.vault.kit import flipped

SECRET = bytes(range(32))
KEY = bytes(range(100, 132))


def test_what_was_wrapped_is_unwrapped() -> None:
    wrapped = Root(SECRET).wrap(KEY, tenant="acme", version=7)
    assert Root(SECRET).unwrap(wrapped, tenant="acme", version=7) == KEY


def test_the_form_is_the_documented_one() -> None:
    wrapped = Root(SECRET).wrap(KEY, tenant="Ümlaut|2", version=7)
    assert len(wrapped) == 12 + 32 + 16
    assert AESGCM(SECRET).decrypt(wrapped[:12], wrapped[12:], "gatehouse tenant key|7|Ümlaut|2".encode()) == KEY


def test_the_same_key_is_wrapped_differently_each_time() -> None:
    root = Root(SECRET)
    assert len({root.wrap(KEY, tenant="acme", version=1) for _ in range(100)}) == 100


@pytest.mark.parametrize(("tenant", "version"), [("acme", 8), ("acme2", 7), ("", 7), ("acme|7", 7)])
def test_a_key_moved_to_another_tenant_or_version_is_found_out(tenant: str, version: int) -> None:
    wrapped = Root(SECRET).wrap(KEY, tenant="acme", version=7)
    with pytest.raises(PayloadDamaged, match=f"^key {version} of tenant"):
        Root(SECRET).unwrap(wrapped, tenant=tenant, version=version)


def test_every_flipped_bit_is_found_out() -> None:
    root = Root(SECRET)
    wrapped = root.wrap(KEY, tenant="acme", version=7)
    for bit in range(8 * len(wrapped)):
        with pytest.raises(PayloadDamaged, match=r"^key 7 of tenant 'acme' was changed, or wrapped by another root key$"):
            root.unwrap(flipped(wrapped, bit), tenant="acme", version=7)


@pytest.mark.parametrize("wrapped", [b"", bytes(11), bytes(12), bytes(27), None, 5, "text"])
def test_what_is_no_wrapped_key_is_found_out(wrapped: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        Root(SECRET).unwrap(wrapped, tenant="acme", version=7)


def test_another_root_key_opens_nothing_and_has_another_id() -> None:
    wrapped = Root(SECRET).wrap(KEY, tenant="acme", version=7)
    with pytest.raises(PayloadDamaged):
        Root(KEY).unwrap(wrapped, tenant="acme", version=7)
    assert len({Root(SECRET).id, Root(KEY).id}) == 2
    assert Root(SECRET).id == Root(SECRET).id


def test_it_is_made_once_and_never_while_keys_exist(tmp_path: Path) -> None:
    first = load_root(tmp_path, keys_exist=lambda: False)
    assert load_root(tmp_path, keys_exist=lambda: True).id == first.id
    (tmp_path / "root.key").unlink()
    with pytest.raises(SettingsError, match=r"^The root key .*/root\.key is missing while keys exist that it wraps: restore it"):
        load_root(tmp_path, keys_exist=lambda: True)


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_root(tmp_path, keys_exist=lambda: False)
    (tmp_path / "root.key").chmod(0o640)
    with pytest.raises(SettingsError, match="is open to group or world"):
        load_root(tmp_path, keys_exist=lambda: False)


def test_it_cannot_be_printed_or_pickled() -> None:
    root = Root(b"s3cret-bytes-that-must-not-leak!")
    assert "s3cret" not in repr(root)
    with pytest.raises(TypeError):
        pickle.dumps(root)
