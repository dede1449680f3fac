"""A payload opens as it was sealed, or whoever asks is told exactly why it does not."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.audit.contract import Sealed
from gateway.audit.vault.blob import Compression
from gateway.audit.vault.errors import PayloadDamaged, PayloadErased, PayloadError, PayloadMissing
from gateway.audit.vault.frame import HEADER_BYTES
from gateway.audit.vault.keyring import read_keyring
from gateway.audit.vault.payloads import Payloads
from gateway.audit.vault.reader import PayloadReader, read_blob
from gateway.audit.vault.record import Record, payload_of
from tests.audit.vault.kit import DAY, PARTS, Store, flipped, sealed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path)) as store:
        yield store


@pytest.fixture
def written(store: Store) -> list[Sealed]:
    """Five payloads of two tenants, written and closed."""
    payloads = Payloads(store.path, "0")
    kept = [store.seal({**PARTS, "meta": b"%d" % number}, tenant=("acme", "globex")[number % 2]) for number in range(5)]
    payloads.write(kept)
    payloads.close()
    return kept


def test_parts_and_commitments_come_back(store: Store) -> None:
    record = Record("01990000-0000-7000-8000-000000000000", store.keyring.prepare("acme"))
    committed = {part: record.commit(part, hashlib.sha256(data).digest()) for part, data in PARTS.items()}
    each = record.seal(PARTS, compression=Compression(1), day=DAY)
    payloads = Payloads(store.path, "0")
    payloads.write([each])
    payloads.close()
    opened = store.open(each)
    assert opened.parts == PARTS
    assert {part: opened.commitment(part) for part in PARTS} == committed


def test_another_process_opens_them_with_the_files_alone(store: Store, written: list[Sealed]) -> None:
    keyring = read_keyring(store.path)
    reader = PayloadReader(store.path, keyring)
    for number, each in enumerate(written):
        opened = reader.open_payload(each.exchange_id, payload_of(each), tenant=each.tenant, slot="0")
        assert opened.parts["meta"] == b"%d" % number
    keyring.close()


def test_a_payload_of_an_old_key_opens_after_a_rotation(store: Store, written: list[Sealed]) -> None:
    store.keyring.rotate("acme")
    new = store.seal()
    assert new.key_version != written[0].key_version
    payloads = Payloads(store.path, "0")
    payloads.write([new])
    payloads.close()
    assert store.open(written[0]).parts["meta"] == b"0"
    assert store.open(new).parts == PARTS


def test_no_file(store: Store, written: list[Sealed]) -> None:
    store.payload_file.unlink()
    with pytest.raises(PayloadMissing, match=rf"^there is no file .*{DAY}\.sealed$"):
        store.open(written[0])


def test_no_frame(store: Store, written: list[Sealed]) -> None:
    data = store.payload_file.read_bytes()
    first = HEADER_BYTES + len(written[0].blob)
    store.payload_file.write_bytes(data[first:])
    with pytest.raises(PayloadMissing, match=rf"{DAY}\.sealed has no frame of it$"):
        store.open(written[0])
    assert store.open(written[1]).parts["meta"] == b"1"  # found by searching: it stands elsewhere than where it was put


def test_one_exchange_erased(store: Store, written: list[Sealed]) -> None:
    exchange = bytes.fromhex(written[0].exchange_id.replace("-", ""))
    store.change("DELETE FROM record_keys WHERE id = ?", exchange)
    with pytest.raises(PayloadErased, match=r"^its key is not in .*0\.sqlite3 any more$"):
        store.open(written[0])
    assert store.open(written[2]).parts["meta"] == b"2"


def test_one_tenant_erased(store: Store, written: list[Sealed]) -> None:
    store.change("DELETE FROM tenant_keys WHERE tenant = 'acme'", database="tenants.sqlite3")
    for each in written[::2]:
        with pytest.raises(PayloadErased, match=r"^there is no key 1 of tenant 'acme'$"):
            store.open(each)
    assert store.open(written[1]).parts["meta"] == b"1"


def test_all_record_keys_gone(store: Store, written: list[Sealed]) -> None:
    store.records.unlink()
    with pytest.raises(PayloadErased):
        store.open(written[0])
    assert not store.records.exists()


@pytest.mark.parametrize(
    ("changes", "exchange_id"),
    [
        ({"day": "../../etc."}, None),
        ({"digest": "x" * 64}, None),
        ({}, "not-an-exchange-id-at-all-but-36-long"),
    ],
)
def test_an_entry_that_names_no_payload(store: Store, written: list[Sealed], changes: dict[str, str], exchange_id: str) -> None:
    payload = msgspec.structs.replace(payload_of(written[0]), **changes)
    reader = PayloadReader(store.path, store.keyring)
    with pytest.raises(PayloadMissing, match=r"^its entry names no payload$"):
        reader.open_payload(exchange_id or written[0].exchange_id, payload, tenant="acme", slot="0")


def test_an_entry_with_another_digest(store: Store, written: list[Sealed]) -> None:
    payload = msgspec.structs.replace(payload_of(written[0]), digest=written[1].digest.hex())
    reader = PayloadReader(store.path, store.keyring)
    with pytest.raises(PayloadDamaged, match=r"the frame at 0 is damaged: it is not the one of its entry$"):
        reader.open_payload(written[0].exchange_id, payload, tenant="acme", slot="0")


@pytest.mark.parametrize("hint", [-1, 1, 10**6, 2**62])
def test_a_wrong_hint_costs_only_time(store: Store, written: list[Sealed], hint: int) -> None:
    store.change("UPDATE record_keys SET at = ? WHERE id = ?", hint, bytes.fromhex(written[1].exchange_id.replace("-", "")))
    assert store.open(written[1]).parts["meta"] == b"1"


def test_of_two_frames_of_one_exchange_the_one_of_the_entry_is_opened(store: Store) -> None:
    """A write that failed may have left the first one behind."""
    key = store.keyring.prepare("acme")
    exchange = "01990000-0000-7000-8000-000000000000"
    first, second = (sealed(key, {"meta": b"%d" % number}, exchange_id=exchange) for number in range(2))
    payloads = Payloads(store.path, "0")
    payloads.write([first])
    payloads.write([second])
    payloads.close()
    assert store.open(second).parts == {"meta": b"1"}
    with pytest.raises(PayloadDamaged):
        store.open(first)  # its key was replaced


def test_no_tenant_opens_anothers_payload(store: Store, written: list[Sealed]) -> None:
    for each in written:
        other = {"acme": "globex", "globex": "acme"}[each.tenant]
        with pytest.raises(PayloadErased, match=rf"^there is no key {each.key_version} of tenant '{other}'$"):
            store.open(each, tenant=other)


def test_record_keys_that_were_exchanged_open_nothing(store: Store, written: list[Sealed]) -> None:
    wrapped = _rows(store)
    one, two, other = (bytes.fromhex(written[number].exchange_id.replace("-", "")) for number in (0, 2, 1))
    store.change("UPDATE record_keys SET wrapped = ? WHERE id = ?", wrapped[two], one)
    with pytest.raises(PayloadDamaged, match="sealed for another exchange, tenant or key"):
        store.open(written[0])
    store.change("UPDATE record_keys SET wrapped = ? WHERE id = ?", wrapped[other], one)
    with pytest.raises(PayloadDamaged, match="its key was changed, or wrapped by another than key 1"):
        store.open(written[0])


def test_1000_random_flipped_bits_are_each_named_and_never_give_a_wrong_answer(store: Store, written: list[Sealed]) -> None:
    chance = random.Random(20261124)  # noqa: S311  # repeatable
    data = store.payload_file.read_bytes()
    places = _places(written)
    named = {"blob": 0, "header": 0, "key": 0, "tenant": 0}
    for _ in range(600):
        bit = chance.randrange(8 * len(data))
        store.payload_file.write_bytes(flipped(data, bit))
        number, at = max((number, at) for number, at in enumerate(places) if at <= bit // 8)
        with pytest.raises(PayloadDamaged) as caught:
            store.open(written[number])
        in_header = bit // 8 < at + HEADER_BYTES
        expected = f"it may have been at {at}, where no frame begins here" if in_header else f"the frame at {at} is damaged"
        assert expected in str(caught.value)
        named["header" if in_header else "blob"] += 1
        assert store.open(written[number - 1]).parts["meta"] == b"%d" % ((number - 1) % 5)
    store.payload_file.write_bytes(data)
    rows = _rows(store)
    for _ in range(300):
        each = chance.choice(written)
        exchange = bytes.fromhex(each.exchange_id.replace("-", ""))
        store.change("UPDATE record_keys SET wrapped = ? WHERE id = ?", flipped(rows[exchange], chance.randrange(320)), exchange)
        with pytest.raises(PayloadDamaged, match="its key was changed"):
            store.open(each)
        store.change("UPDATE record_keys SET wrapped = ? WHERE id = ?", rows[exchange], exchange)
        named["key"] += 1
    change, key = "UPDATE tenant_keys SET wrapped = ? WHERE tenant = 'acme'", _acmes_key(store)
    for _ in range(100):
        store.change(change, flipped(key, chance.randrange(480)), database="tenants.sqlite3")
        with pytest.raises(PayloadDamaged, match=r"^key 1 of tenant 'acme' was changed"):
            store.open(written[0])
        named["tenant"] += 1
        store.change(change, key, database="tenants.sqlite3")
    assert sum(named.values()) == 1000
    assert min(named.values()) >= 50
    assert all(store.open(each).parts["meta"] == b"%d" % number for number, each in enumerate(written))


def test_a_file_cut_at_any_byte_gives_what_is_whole_and_names_the_rest(store: Store, written: list[Sealed]) -> None:
    data = store.payload_file.read_bytes()
    last = _places(written)[-1]
    for size in range(last, len(data)):
        store.payload_file.write_bytes(data[:size])
        with pytest.raises(PayloadError) as caught:
            store.open(written[-1])
        assert isinstance(caught.value, PayloadMissing if size == last else PayloadDamaged), size
        assert store.open(written[-2]).parts["meta"] == b"3"


def test_a_link_is_not_followed(store: Store, written: list[Sealed]) -> None:
    moved = store.path / "elsewhere"
    store.payload_file.rename(moved)
    store.payload_file.symlink_to(moved)
    with pytest.raises(OSError, match="symbolic links"):
        store.open(written[0])


def test_a_blob_is_found_without_any_key(store: Store, written: list[Sealed]) -> None:
    for each in written:
        exchange = bytes.fromhex(each.exchange_id.replace("-", ""))
        assert read_blob(store.payload_file, exchange, digest=each.digest) == each.blob


def test_no_file_stays_open(store: Store, written: list[Sealed]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for each in written:
        store.open(each)
    store.payload_file.write_bytes(b"")
    with pytest.raises(PayloadMissing):
        store.open(written[0])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def _acmes_key(store: Store) -> bytes:
    connection = sqlite3.connect(store.path / "keys" / "tenants.sqlite3")
    ((wrapped,),) = connection.execute("SELECT wrapped FROM tenant_keys WHERE tenant = 'acme'").fetchall()
    connection.close()
    return bytes(wrapped)


def _rows(store: Store) -> dict[bytes, bytes]:
    connection = sqlite3.connect(store.records)
    rows = dict(connection.execute("SELECT id, wrapped FROM record_keys").fetchall())
    connection.close()
    return rows


def _places(written: list[Sealed]) -> list[int]:
    """Return where each frame begins."""
    places = [0]
    for each in written[:-1]:
        places.append(places[-1] + HEADER_BYTES + len(each.blob))
    return places
