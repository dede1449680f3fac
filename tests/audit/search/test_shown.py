"""What programs get of an exchange and its payload."""

from __future__ import annotations

import msgspec

from gateway.audit.search.plaintext import Part
from gateway.audit.search.shown import shown, shown_payload
from tests.audit.entries import begin, end, exchange_id
from tests.audit.search.test_page import FOUND, record

ONE = exchange_id(1)


def test_an_exchange_comes_with_its_entries_as_they_stand_in_the_log() -> None:
    given = record(begin(ONE), end(ONE, 2))
    whole = msgspec.json.decode(msgspec.json.encode(shown(given)))
    assert whole["exchange"]["id"] == FOUND.id
    assert [(entry["log"], entry["index"], entry["fields"]["kind"]) for entry in whole["entries"]] == [
        ("0", 2, "begin"),
        ("0", 3, "end"),
    ]
    assert [entry["leaf_hash"] for entry in whole["entries"]] == [stored.leaf.hex() for _, stored in given.entries]
    assert [msgspec.json.encode(entry["fields"], order="sorted") for entry in whole["entries"]] == [
        stored.data for _, stored in given.entries
    ]


def test_a_part_is_text_or_base64() -> None:
    payload = shown_payload(record(begin(ONE), end(ONE, 2)), [Part("a", "ä".encode(), "opens"), Part("b", b"\xff", "none")])
    assert payload.id == ONE
    assert [(part.name, part.bytes, part.commitment, part.text, part.base64) for part in payload.parts] == [
        ("a", 2, "opens", "ä", None),
        ("b", 1, "none", None, "/w=="),
    ]
