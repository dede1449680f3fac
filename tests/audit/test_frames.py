from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.frames import FrameError, pack, unpack

ENTRIES = st.lists(st.binary(max_size=300), max_size=20)


@given(ENTRIES)
def test_what_was_packed_comes_out_again(entries: list[bytes]) -> None:
    assert unpack(pack(entries)) == entries


@given(ENTRIES, ENTRIES)
def test_pieces_joined_are_the_entries_joined(left: list[bytes], right: list[bytes]) -> None:
    assert unpack(pack(left) + pack(right)) == left + right


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.data())
def test_a_piece_that_was_cut_is_never_read_as_the_whole(entries: list[bytes], data: st.DataObject) -> None:
    piece = pack(entries)
    cut = piece[: data.draw(st.integers(0, len(piece) - 1))]
    try:
        found = unpack(cut)
    except FrameError:
        return
    assert found == entries[: len(found)]
    assert len(found) < len(entries)


@pytest.mark.parametrize("piece", [b"\x00", b"\x00\x01", b"\x00\x05abcd", b"\xff\xff" + bytes(65_534)])
def test_half_an_entry_is_an_error(piece: bytes) -> None:
    with pytest.raises(FrameError):
        unpack(piece)


def test_the_form_is_that_of_c2sp_bundles() -> None:
    assert pack([b"ab", b"", b"c" * 256]) == b"\x00\x02ab" + b"\x00\x00" + b"\x01\x00" + b"c" * 256
    assert unpack(b"") == []
    assert pack([]) == b""


def test_an_entry_that_is_too_long_cannot_be_packed() -> None:
    assert unpack(pack([bytes(65_535)])) == [bytes(65_535)]
    with pytest.raises(OverflowError):
        pack([bytes(65_536)])
