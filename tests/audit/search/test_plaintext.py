"""Plaintext: only for auditors, only with a reason, and held against what the log commits to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway.audit.clock import Moment
from gateway.audit.entry import Access, End
from gateway.audit.reader import ReadError
from gateway.audit.search.archive import Archive, Found, Record
from gateway.audit.search.filters import Filters
from gateway.audit.search.plaintext import Part, access_to, open_parts
from gateway.audit.search.rights import View
from gateway.audit.vault.errors import PayloadErased, PayloadMissing
from gateway.audit.vault.keyring import read_keyring
from gateway.audit.vault.reader import PayloadReader
from gateway.errors import ClientError, Forbidden, InvalidRequest, NotFound
from tests.audit.recorded import Said, record
from tests.audit.vault.kit import Store

AUDITOR = View("acme", "abcdefghij23", "auditor")
MOMENT = Moment(at=1_795_521_600_000_000, mono=7)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    record(tmp_path, [Said(), Said(payloads="none")])
    return tmp_path


def found(store: Path, number: int) -> Record:
    """Return the record of the exchange of that number, in the order in which they were recorded."""
    archive = Archive(store)
    each = archive.search(Filters(), AUDITOR).data[::-1][number]
    assert isinstance(each, Found)
    found = archive.record(each.id, AUDITOR)
    assert found is not None
    return found


def parts(store: Path, each: Record) -> Sequence[Part]:
    with closing(read_keyring(store)) as keyring:
        return open_parts(each, PayloadReader(store, keyring))


def test_every_part_is_returned_exactly_and_its_commitment_opens(store: Path) -> None:
    opened = parts(store, found(store, 0))
    assert {part.name: part.data for part in opened} == Said().parts
    assert {part.name: part.commitment for part in opened} == {
        "received": "opens",
        "sent/1": "opens",
        "answer": "opens",
        "delivered": "opens",
        "meta": "none",
    }


def test_a_commitment_that_says_something_else_differs(store: Path) -> None:
    each = found(store, 0)
    begin = msgspec.structs.replace(each.begin, received="5a" * 32)
    commitments = {part.name: part.commitment for part in parts(store, replace(each, begin=begin))}
    assert (commitments["received"], commitments["answer"]) == ("differs", "opens")


def test_the_access_tells_who_why_and_whose(store: Path) -> None:
    each = found(store, 0)
    assert access_to(each, AUDITOR, reason="ticket 4711", moment=MOMENT) == Access(
        at=MOMENT.at,
        mono=MOMENT.mono,
        id=each.found.id,
        tenant="acme",
        by="abcdefghij23",
        role="auditor",
        reason="ticket 4711",
    )


@pytest.mark.parametrize(
    ("view", "number", "reason", "error"),
    [
        (View(None, "x", "operator"), 0, "ticket", Forbidden),
        (View("acme", "x", "app"), 0, "ticket", Forbidden),
        (AUDITOR, 0, "", InvalidRequest),
        (AUDITOR, 0, " \n", InvalidRequest),
        (AUDITOR, 0, "x" * 1025, InvalidRequest),
        (AUDITOR, 0, "\udcff", InvalidRequest),
        (AUDITOR, 1, "ticket", NotFound),
    ],
)
def test_without_right_reason_or_payload_there_is_no_access(
    store: Path, view: View, number: int, reason: str, error: type[ClientError]
) -> None:
    with pytest.raises(error):
        access_to(found(store, number), view, reason=reason, moment=MOMENT)


def test_a_payload_that_is_gone_or_whose_key_is_gone_says_so(store: Path) -> None:
    each = found(store, 0)
    assert isinstance(each.end, End)
    Store(store).change("DELETE FROM record_keys")
    with pytest.raises(PayloadErased):
        parts(store, each)
    next((store / "payloads" / "0").iterdir()).unlink()
    with pytest.raises(PayloadMissing):
        parts(store, each)


def test_files_that_cannot_be_read_are_an_error(store: Path) -> None:
    each = found(store, 0)
    with closing(read_keyring(store)) as keyring:
        (store / "keys" / "0.sqlite3").write_bytes(b"no database" * 1000)
        with pytest.raises(ReadError, match="The files of the payload cannot be read"):
            open_parts(each, PayloadReader(store, keyring))
