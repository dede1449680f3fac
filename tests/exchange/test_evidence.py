"""What went through an exchange, byte for byte."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange.evidence import Evidence


@given(st.lists(st.binary()), st.booleans())
def test_a_part_knows_its_size_and_digest_whether_or_not_it_is_kept(pieces: list[bytes], keep: bool) -> None:
    evidence = Evidence()
    if not keep:
        evidence.forget()
    part = evidence.answer
    for piece in pieces:
        part.add(piece)
    whole = b"".join(pieces)
    assert (part.size, part.digest) == (len(whole), sha256(whole).digest())
    assert part.data == (whole if keep else b"")


def test_attempts_are_kept_in_their_order_with_their_times() -> None:
    evidence = Evidence()
    first, second = evidence.attempt("a", "m"), evidence.attempt("b", "m")
    assert evidence.attempts == [first, second]
    assert first.started <= second.started
