from __future__ import annotations

from decimal import Decimal
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.audit.canonical import encode
from gateway.audit.entry import SAFE
from gateway.audit.parameters import finish_reasons, parameter, parameters, word
from tests.audit.entries import begin, exchange_id
from tests.audit.jcs import canonical


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (0.7, "0.7"),
        (1.0, "1.0"),
        (1e-7, "0.0000001"),
        (-0.5, "-0.5"),
        (40, 40),
        (SAFE, SAFE),
        (SAFE + 1, "9007199254740992"),
        (-(2**64), "-18446744073709551616"),
        (True, True),
        (False, False),
        ("low", "low"),
    ],
)
def test_a_fraction_or_a_large_number_stands_as_an_exact_decimal(value: float | str, held: object) -> None:
    found = parameter(value)
    assert found == held
    assert type(found) is type(held)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_decimal_is_exactly_the_number_that_was_set(value: float) -> None:
    found = parameter(value)
    assert isinstance(found, str)
    assert float(found) == value
    assert "e" not in found.lower()
    assert Decimal(found) == Decimal(repr(value))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_parameter(value: float) -> None:
    with pytest.raises(ValueError, match="no number"):
        parameter(value)


def test_few_parameters_stand_in_the_entry_and_many_by_their_digest() -> None:
    few, none = parameters({"temperature": 0.5, "n": 2})
    assert few == {"temperature": "0.5", "n": 2}
    assert none is None
    many = {f"parameter_{number:04d}": number for number in range(300)}
    nothing, digest = parameters(many)
    assert nothing is None
    assert digest == sha256(canonical(many)).hexdigest()


def test_an_upstreams_word_is_cut_and_can_always_be_written() -> None:
    assert word("chatcmpl-1") == "chatcmpl-1"
    assert word("x" * 300) == "x" * 256
    assert word("a\ud800b") == "a?b"


def test_finish_reasons_that_openai_does_not_know_are_other() -> None:
    assert finish_reasons("") == []
    assert finish_reasons("stop,length,an upstream's own") == ["stop", "length", "other"]


def test_parameters_fit_into_an_entry() -> None:
    held, _ = parameters({"temperature": 0.25, "seed": 2**60, "logprobs": True, "reasoning_effort": "low"})
    assert held is not None
    assert b'"seed":"1152921504606846976"' in encode(replace(begin(exchange_id(1)), parameters=held))
