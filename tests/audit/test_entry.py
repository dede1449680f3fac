"""The types of entries keep the profile by themselves: what they allow has one canonical form and a bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from gateway.audit import entry
from gateway.audit.canonical import encode
from gateway.audit.entry import Entry
from tests.audit.entries import begin, exchange_id, label_move, one_of_each, prompt_used

KINDS = get_args(Entry)


def types_of(kind: Any) -> Iterator[tuple[str, inspect.Type]]:
    """Yield every type at any depth of an entry's kind, with the place where it stands."""
    waiting = [(kind.__name__, inspect.type_info(kind))]
    while waiting:
        place, found = waiting.pop()
        yield place, found
        match found:
            case inspect.StructType():
                waiting += [(f"{place}.{field.encode_name}", field.type) for field in found.fields]
            case inspect.UnionType():
                waiting += [(place, each) for each in found.types]
            case inspect.ListType():
                waiting.append((f"{place}[]", found.item_type))
            case inspect.DictType():
                waiting += [(f"{place} key", found.key_type), (f"{place}{{}}", found.value_type)]
            case _:
                pass


ALL_TYPES = [each for kind in KINDS for each in types_of(kind)]


def test_nothing_in_an_entry_can_hold_a_float_a_null_or_just_anything() -> None:
    allowed = (
        inspect.StructType,
        inspect.UnionType,
        inspect.ListType,
        inspect.DictType,
        inspect.IntType,
        inspect.BoolType,
        inspect.StrType,
        inspect.LiteralType,
    )
    assert [place for place, found in ALL_TYPES if not isinstance(found, allowed)] == []


def test_every_integer_stays_below_two_to_the_53() -> None:
    integers = [(place, found) for place, found in ALL_TYPES if isinstance(found, inspect.IntType)]
    assert len(integers) > 50
    for place, found in integers:
        assert found.ge is not None, place
        assert found.ge >= -(2**53 - 1), place
        assert found.le == 2**53 - 1, place


def test_every_list_stops_at_64_and_stands_beside_a_total() -> None:
    lists = [(place, found) for place, found in ALL_TYPES if isinstance(found, inspect.ListType)]
    assert {place for place, _ in lists} == {"End.attempts", "End.finish_reasons", "Refused.refusals", "Begin.prompt.trimmed"}
    assert {found.max_length for _, found in lists} == {64}
    assert {"attempts_total", "finish_reasons_total"} <= set(entry.End.__struct_fields__)
    assert "total" in entry.Refused.__struct_fields__
    assert "trimmed_total" in entry.PromptUsed.__struct_fields__


def test_every_string_is_bounded_or_of_a_closed_set() -> None:
    strings = [(place, found) for place, found in ALL_TYPES if isinstance(found, inspect.StrType) and " key" not in place]
    assert [place for place, found in strings if found.max_length is None] == []


def test_names_are_lower_case_ascii() -> None:
    for place, found in ALL_TYPES:
        if isinstance(found, inspect.StructType):
            for field in found.fields:
                assert field.encode_name.isascii(), place
                assert field.encode_name == field.encode_name.lower(), place


def test_each_kind_says_its_name_its_version_and_its_time() -> None:
    assert {type(each) for each in one_of_each()} == set(KINDS)
    for each in one_of_each():
        fields = msgspec.to_builtins(each)
        assert fields["v"] == 1
        assert {"kind", "at", "mono"} <= fields.keys()
    kinds = {msgspec.to_builtins(each)["kind"] for each in one_of_each()}
    assert kinds == {
        *("genesis", "config", "begin", "attempt", "end", "abandoned", "refused"),
        *("caller", "label", "access", "gap", "clock", "close"),
    }


@pytest.mark.parametrize("each", one_of_each(), ids=lambda each: type(each).__name__)
def test_an_entry_does_not_change_once_made(each: Entry) -> None:
    with pytest.raises(AttributeError):
        each.at = 0  # type: ignore[misc]


def test_the_largest_end_fits_into_an_entry() -> None:
    """All lists full and all words at their longest, in two bytes a letter, as only made-up names could be."""
    word = "é" * 256
    digest = "5a" * 32
    tried = entry.Tried(
        upstream=word,
        model=word,
        us=entry.SAFE,
        status=entry.SAFE,
        error="a" * 64,
        reason="b" * 64,
        sent=digest,
        sent_bytes=entry.SAFE,
        received_bytes=entry.SAFE,
        response_id="c" * 64,
    )
    assert len(msgspec.json.encode([tried] * 32)) < entry.MOST_BYTES


def test_the_largest_prompt_fits_into_a_begin() -> None:
    word = "é" * 256
    left_out = entry.LeftOut(input=word, items=entry.SAFE, tokens=entry.SAFE)
    used = entry.PromptUsed(
        id=word, version=word, label=word, contract=entry.SAFE, digest="5a" * 32, trimmed=[left_out] * 64, trimmed_total=65
    )
    encode(msgspec.structs.replace(begin(exchange_id(1)), prompt=used))


def test_a_begin_without_a_prompt_says_nothing_of_one_and_is_no_larger() -> None:
    assert b"prompt" not in encode(begin(exchange_id(1)))
    used = msgspec.structs.replace(prompt_used(), trimmed=msgspec.UNSET, trimmed_total=msgspec.UNSET)
    assert b"trimmed" not in encode(msgspec.structs.replace(begin(exchange_id(1)), prompt=used))


def test_a_move_says_from_what_a_label_went() -> None:
    fields = msgspec.json.decode(encode(label_move()))
    assert (fields["from"], fields["version"], fields["withdrawn"]) == ("v6", "v7", False)
    assert "before" not in fields
    assert not {"canary", "sticky"} & fields.keys()
