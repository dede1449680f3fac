from __future__ import annotations

import json  # noqa: TID251  # an independent reader
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.canonical import EntryError, decode, encode, is_canonical
from gateway.audit.entry import MOST_BYTES, ClockStep, End, Entry, Tried, Usage
from tests.audit.drawn import entries
from tests.audit.entries import HASH, access, begin, end, exchange_id, one_of_each
from tests.audit.jcs import canonical

TEXTS = st.text(max_size=40)
PROFILE = st.recursive(
    st.booleans() | st.integers(-(2**53 - 1), 2**53 - 1) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="ascii"), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)
ENTRIES = entries()


@given(ENTRIES)
@settings(max_examples=400)
def test_an_entry_has_the_bytes_of_rfc_8785(entry: Entry) -> None:
    assert encode(entry) == canonical(msgspec.to_builtins(entry))


@given(ENTRIES)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert decode(encode(entry)) == entry
    assert is_canonical(encode(entry))


@given(st.dictionaries(st.text(st.characters(codec="ascii"), max_size=8), PROFILE, max_size=6))
def test_canonical_is_what_rfc_8785_says_whatever_the_fields_are(value: dict[str, Any]) -> None:
    assert is_canonical(canonical(value))


def test_the_reference_agrees_with_the_examples_of_rfc_8785() -> None:
    """A control of the reference itself: section 3.2.2 (strings) and 3.2.3 (order), without the numbers that we do not have."""
    given_text = json.loads(r'"\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/"')
    assert canonical(given_text) == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()
    order = {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\u0080": 6, "ö": 7}
    assert [json.loads(canonical(order))[name] for name in json.loads(canonical(order))] == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize(
    "data",
    [
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1.5}',
        b'{"a":1e3}',
        b'{"a":null}',
        b'{"a":9007199254740992}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":01}',
        b'{"a":1,"a":1}',
        b'{"a":1}\n',
        '{"ä":1}'.encode(),
        b"[1]",
        b'"a"',
        b"",
        b'{"a":"\xff"}',
        b'{"a":' * 5000,
    ],
)
def test_another_form_of_json_is_not_canonical(data: bytes) -> None:
    assert not is_canonical(data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"begin": 1.0},
        {"begin": -1},
        {"begin": 2**53},
        {"begin": 2**70},
        {"begin": True},
        {"begin": None},
        {"id": "short"},
        {"result": "running"},
        {"finish_reasons": ["a word of the upstream's own"]},
        {"finish_reasons": ["stop"] * 65},
        {"usage": Usage(input_tokens=0.5, output_tokens=1)},  # type: ignore[arg-type]
        {"attempts": [Tried(upstream="a" * 257, model="m", us=1)]},
        {"attempts": [Tried(upstream="a\ud800", model="m", us=1)]},
        {"payload": "somewhere"},
        {"timings": {"caller": 0.1}},
        {"timings": {"é": 1}},
        {"timings": {1: 1}},
        {"answer": HASH[:-1]},
    ],
    ids=str,
)
def test_a_value_outside_its_type_never_becomes_an_entry(wrong: dict[str, Any]) -> None:
    fields = {name: getattr(end(exchange_id(1), 0), name) for name in End.__struct_fields__}
    with pytest.raises(EntryError) as caught:
        encode(End(**fields | wrong))
    assert "word of the upstream" not in str(caught.value)


def test_an_entry_is_at_most_65535_bytes() -> None:
    def sized(count: int) -> End:
        one = end(exchange_id(1), 0)
        tried = Tried(upstream="u" * 256, model="m" * 256, us=1, error="e" * 256, reason="r" * 256)
        fields = {name: getattr(one, name) for name in End.__struct_fields__}
        return End(**fields | {"attempts": [tried] * count})

    assert len(encode(sized(56))) <= MOST_BYTES
    with pytest.raises(EntryError, match="more than 65535"):
        encode(sized(64))


def test_a_persons_words_may_be_in_any_language() -> None:
    assert decode(encode(access('Prüfung nach Beschwerde № 7 \x00\x1f"\\'))) == access('Prüfung nach Beschwerde № 7 \x00\x1f"\\')


@pytest.mark.parametrize("entry", one_of_each(), ids=lambda entry: type(entry).__name__)
def test_what_a_later_version_adds_is_passed_over(entry: Entry) -> None:
    fields = msgspec.json.decode(encode(entry)) | {"new": {"deep": [1]}, "v": 2}
    assert decode(msgspec.json.encode(fields)).at == entry.at


@pytest.mark.parametrize("data", [b"", b"{}", b'{"kind":"later","at":1,"mono":1}', b"\xff", b'{"kind":"clock","at":1,"mono":1}'])
def test_bytes_that_are_no_entry_are_an_error(data: bytes) -> None:
    with pytest.raises(EntryError):
        decode(data)


def test_an_entry_takes_less_than_two_kilobytes() -> None:
    """The log grows by at most 4 kB for each exchange beside its payload."""
    assert len(encode(begin(exchange_id(1)))) + len(encode(end(exchange_id(1), 0))) < 2000
    assert len(encode(ClockStep(at=1, mono=1, step=1))) < 60
