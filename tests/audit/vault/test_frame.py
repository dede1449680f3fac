"""Whole frames are found, and what is none is named with its place, whatever happened to the file."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.vault.frame import CHUNK, HEADER_BYTES, MAGIC, Piece, Read, header, parse, scan
from tests.audit.vault.kit import flipped

IDS = [bytes([number]) * 16 for number in range(250)]


def reading(data: bytes) -> Read:
    return lambda at, most: data[at : at + most]


def pack(blobs: Sequence[bytes]) -> tuple[bytes, list[Piece]]:
    """Return a file of frames, and the pieces that it consists of."""
    data = b""
    pieces = []
    for exchange, blob in zip(IDS, blobs, strict=False):
        at = len(data)
        digest = hashlib.sha256(blob).digest()
        data += header(exchange, digest, length=len(blob)) + blob
        pieces.append(Piece(at, len(data), exchange, digest))
    return data, pieces


def found(data: bytes, *, contents: bool = True, start: int = 0) -> list[Piece]:
    return list(scan(reading(data), start, len(data), contents=contents))


BLOBS = [b"", b"one", MAGIC, b"a longer one" * 10, MAGIC * 20]


def test_a_header_is_the_documented_one() -> None:
    digest = hashlib.sha256(b"blob").digest()
    data = header(IDS[7], digest, length=4)
    assert data[:56] == b"GHP1" + b"\0\0\0\x04" + IDS[7] + digest
    assert data[56:] == zlib.crc32(data[:56]).to_bytes(4, "big")
    assert HEADER_BYTES == 60
    assert parse(data, 100) == Piece(100, 164, IDS[7], digest)


@given(blobs=st.lists(st.binary(max_size=300) | st.just(MAGIC), max_size=12))
def test_all_frames_of_a_file_are_found(blobs: list[bytes]) -> None:
    data, pieces = pack(blobs)
    assert found(data) == found(data, contents=False) == pieces
    assert [data[piece.blob_at : piece.end] for piece in pieces] == blobs


def test_every_flipped_bit_is_named_with_its_frame_and_costs_no_other() -> None:
    data, pieces = pack(BLOBS)
    for bit in range(8 * len(data)):
        hit = next(piece for piece in pieces if piece.at <= bit // 8 < piece.end)
        after = found(flipped(data, bit))
        assert [piece for piece in after if not piece.damage] == [piece for piece in pieces if piece is not hit]
        (damaged,) = [piece for piece in after if piece.damage]
        assert (damaged.at, damaged.end) == (hit.at, hit.end)
        assert damaged.damage == ("no frame begins here" if bit // 8 < hit.blob_at else "its digest is another")


def test_control_a_flipped_bit_in_a_blob_stays_unseen_without_the_contents() -> None:
    data, pieces = pack(BLOBS)
    assert found(flipped(data, 8 * len(data) - 1), contents=False) == pieces


def test_a_file_cut_at_any_byte_keeps_its_whole_frames() -> None:
    data, pieces = pack(BLOBS)
    for size in range(len(data)):
        whole = [piece for piece in pieces if piece.end <= size]
        after = found(data[:size])
        assert after[: len(whole)] == whole
        torn = after[len(whole) :]
        assert [(piece.at, piece.end, bool(piece.damage)) for piece in torn] == (
            [(whole[-1].end if whole else 0, size, True)] if size > (whole[-1].end if whole else 0) else []
        )


def test_a_frame_that_ends_after_the_file_says_by_how_much() -> None:
    data, _ = pack([b"0123456789"])
    (piece,) = found(data[:-3])
    assert (piece.exchange, piece.damage) == (IDS[0], "it ends 3 bytes after the file")


@pytest.mark.parametrize("junk", [b"x", MAGIC, MAGIC * 30, bytes(1000), MAGIC[:3]])
def test_frames_after_junk_are_found(junk: bytes) -> None:
    data, pieces = pack(BLOBS)
    after = found(junk + data)
    assert [(piece.at - len(junk), piece.exchange) for piece in after if not piece.damage] == [
        (piece.at, piece.exchange) for piece in pieces
    ]
    assert [(piece.at, piece.end) for piece in after if piece.damage] == [(0, len(junk))]


@pytest.mark.parametrize("before", range(-5, 3))
def test_a_frame_after_much_junk_is_found_wherever_it_begins(before: int) -> None:
    junk = bytes(CHUNK + 1 + before)  # the first search begins at 1 and looks at CHUNK bytes
    data, pieces = pack([b"blob"])
    after = found(junk + data)
    assert [(piece.at, piece.end) for piece in after] == [(0, len(junk)), (len(junk), len(junk) + pieces[0].end)]


def test_a_blob_that_is_read_in_chunks_has_its_digest() -> None:
    data, pieces = pack([random.Random(1).randbytes(2 * CHUNK + 5)])  # noqa: S311  # repeatable
    assert found(data) == pieces
    assert found(flipped(data, 8 * (CHUNK + 100)))[0].damage == "its digest is another"


def test_a_scan_may_begin_at_any_frame() -> None:
    data, pieces = pack(BLOBS)
    assert found(data, start=pieces[2].at) == pieces[2:]
    assert found(data, start=len(data)) == []
