"""What was sealed comes back byte for byte, or not at all."""

from __future__ import annotations

import os
import random

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor, ZstdDecompressor

from gateway.audit.vault.blob import Compression, id_bytes, seal, unseal
from gateway.audit.vault.errors import PayloadDamaged
from gateway.exchange.ids import new_id
from tests.audit.vault.kit import PARTS, flipped

KEY = bytes(range(32))
ID = bytes(range(16))
QUICK = Compression(1)

parts = st.dictionaries(
    st.text(max_size=20), st.binary(max_size=3000) | st.sampled_from([b"", b"same", b"same" * 100]), max_size=8
)


def test_any_parts_come_back_as_they_were() -> None:
    @given(
        parts=parts,
        key=st.binary(min_size=32, max_size=32),
        exchange=st.binary(min_size=16, max_size=16),
        tenant=st.text(max_size=20),
    )
    def check(parts: dict[str, bytes], key: bytes, exchange: bytes, tenant: str) -> None:
        tenant = tenant.encode("utf-8", "replace").decode()
        blob = seal(QUICK.pack(parts), key=key, exchange=exchange, tenant=tenant)
        assert unseal(blob, key=key, exchange=exchange, tenant=tenant) == parts

    check()


@pytest.mark.parametrize("level", [-5, 1, 3])
@pytest.mark.parametrize("size", [0, 1, 1_048_575, 1_048_576, 5_000_000])
def test_sizes_and_levels_make_no_difference(level: int, size: int) -> None:
    some = random.Random(size).randbytes(size)  # noqa: S311  # repeatable
    given_parts = {"received": some, "answer": some[::-1], "delivered": some[::-1], "meta": b""}
    packed = Compression(level).pack(given_parts)
    assert unseal(seal(packed, key=KEY, exchange=ID, tenant="acme"), key=KEY, exchange=ID, tenant="acme") == given_parts


@pytest.mark.parametrize("more", [0, 1_500_000])
def test_the_form_is_the_documented_one_whatever_the_size(more: int) -> None:
    given_parts = {**PARTS, "answer": PARTS["answer"] + random.Random(more).randbytes(more)}  # noqa: S311  # repeatable
    blob = seal(QUICK.pack(given_parts), key=KEY, exchange=ID, tenant="Ümlaut")
    assert isinstance(blob, memoryview if more else bytes)
    packed = AESGCM(KEY).decrypt(bytes(12), blob, b"gatehouse payload 1" + ID + "Ümlaut".encode())
    data = ZstdDecompressor().decompress(packed)
    length = int.from_bytes(data[:4], "big")
    layout = msgspec.json.decode(data[4 : 4 + length])
    contents = data[4 + length :]
    assert {name: contents[at : at + size] for name, (at, size) in layout.items()} == given_parts


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_equal_parts_are_stored_once(size: int) -> None:
    answer = random.Random(1).randbytes(size)  # noqa: S311  # repeatable
    assert len(QUICK.pack({"answer": answer, "delivered": bytes(bytearray(answer))})) < 1.1 * len(answer) + 100


def test_the_ciphertext_shows_neither_content_nor_names() -> None:
    blob = seal(QUICK.pack({"meta": b"user-4711", "received": b"user-4711 asks"}), key=KEY, exchange=ID, tenant="acme")
    assert b"4711" not in blob
    assert b"meta" not in blob


def test_it_opens_for_its_own_exchange_tenant_and_key_alone() -> None:
    blob = seal(QUICK.pack(PARTS), key=KEY, exchange=ID, tenant="acme")
    others = [(KEY[::-1], ID, "acme"), (KEY, ID[::-1], "acme"), (KEY, ID, "acme2"), (KEY, ID, ""), (KEY, ID, "acm")]
    for key, exchange, tenant in others:
        with pytest.raises(PayloadDamaged, match=r"^it was changed, or sealed for another exchange, tenant or key$"):
            unseal(blob, key=key, exchange=exchange, tenant=tenant)


def test_every_flipped_bit_and_every_cut_is_found_out() -> None:
    blob = bytes(seal(QUICK.pack(PARTS), key=KEY, exchange=ID, tenant="acme"))
    changed = [flipped(blob, bit) for bit in range(8 * len(blob))] + [blob[:size] for size in range(len(blob))]
    for each in (*changed, blob + b"\0"):
        with pytest.raises(PayloadDamaged):
            unseal(each, key=KEY, exchange=ID, tenant="acme")


def test_a_change_to_a_large_one_is_found_out() -> None:
    chance = random.Random(1)  # noqa: S311  # repeatable
    blob = bytearray(seal(QUICK.pack({"received": chance.randbytes(1_500_000)}), key=KEY, exchange=ID, tenant="acme"))
    for place in (0, len(blob) - 1, *(chance.randrange(len(blob)) for _ in range(20))):
        blob[place] ^= 1 << chance.randrange(8)
        with pytest.raises(PayloadDamaged, match=r"^it was changed"):
            unseal(memoryview(blob), key=KEY, exchange=ID, tenant="acme")


def compressed(layout: bytes, contents: bytes = b"") -> bytes:
    return ZstdCompressor().compress(len(layout).to_bytes(4, "big") + layout + contents)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"text",
        compressed(b"text"),
        ZstdCompressor().compress(b"\xff"),
        compressed(b'{"received":[0,5]}', b"four"),
        compressed(b'{"received":[1,3]}', b"four"),
        compressed(b'{"received":[0,2],"answer":[1,3]}', b"four"),
        compressed(b'{"received":[0,-1]}', b"four"),
        compressed(b'{"received":[0,4]}', b"four")[:-1],
    ],
)
def test_what_was_sealed_and_is_no_payload_is_said(packed: bytes) -> None:
    blob = seal(packed, key=KEY, exchange=ID, tenant="acme")
    with pytest.raises(PayloadDamaged, match=r"^what was sealed is no payload$"):
        unseal(blob, key=KEY, exchange=ID, tenant="acme")


def test_control_equal_parts_under_two_keys_are_two_ciphertexts() -> None:
    packed = QUICK.pack(PARTS)
    blobs = {seal(packed, key=os.urandom(32), exchange=ID, tenant="acme") for _ in range(100)}
    assert len(blobs) == 100
    assert seal(packed, key=KEY, exchange=ID, tenant="acme") == seal(packed, key=KEY, exchange=ID, tenant="acme")


def test_an_id_is_its_16_bytes() -> None:
    exchange = new_id()
    assert id_bytes(exchange).hex() == exchange.replace("-", "")
    for wrong in ("", "0" * 31, "0" * 33, "x" * 32, exchange + "00"):
        with pytest.raises(ValueError):  # noqa: PT011  # fromhex has words of its own
            id_bytes(wrong)
