from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.canonical import encode
from gateway.audit.entry import Entry
from gateway.audit.recovery import follow, kind_of
from tests.audit.entries import abandoned, attempt, begin, end, exchange_id, one_of_each


def test_what_has_begun_is_open_until_it_ends_or_is_abandoned() -> None:
    first, second, third = (exchange_id(number) for number in (1, 2, 3))
    entries: list[Entry] = [
        begin(first),
        begin(second),
        attempt(first, 5),
        begin(third),
        end(second, 6),
        abandoned(third, 8),
    ]
    found: dict[str, int] = {}
    follow(found, [encode(each) for each in entries], first=5)
    assert found == {first: 5}


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["begin", "end"])), max_size=30), st.integers(0, 30))
def test_wherever_a_snapshot_was_taken_the_rest_leads_to_the_same(story: list[tuple[int, str]], cut: int) -> None:
    entries: list[bytes] = []
    begun: dict[int, int] = {}
    for number, kind in story:
        if kind == "begin" and number not in begun:
            begun[number] = len(entries)
            entries.append(encode(begin(exchange_id(number))))
        elif kind == "end" and number in begun:
            entries.append(encode(end(exchange_id(number), begun.pop(number))))
    whole: dict[str, int] = {}
    follow(whole, entries, first=0)
    assert whole == {exchange_id(number): index for number, index in begun.items()}
    parts: dict[str, int] = {}
    follow(parts, entries[:cut], first=0)
    follow(parts, entries[cut:], first=len(entries[:cut]))
    assert parts == whole


@pytest.mark.parametrize("entry", one_of_each(), ids=lambda entry: type(entry).__name__)
def test_an_entry_tells_its_kind(entry: Entry) -> None:
    assert kind_of(encode(entry)) == msgspec.to_builtins(entry)["kind"]


def test_a_kind_that_only_a_later_version_knows_is_passed_over() -> None:
    found = {exchange_id(1): 3}
    follow(found, [b'{"at":1,"id":"x","kind":"erase"}'], first=4)
    assert found == {exchange_id(1): 3}
    assert kind_of(b'{"kind":"erase"}') == "erase"


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"kind":"\xff"}'])
def test_what_is_no_entry_is_an_error(data: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeError)):
        follow({}, [data], first=0)
