"""Searching all logs of a store: merged by time, read from the logs themselves, and nothing of another tenant ever."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

from gateway.audit.canonical import encode
from gateway.audit.entry import Abandoned, Access, Gap
from gateway.audit.frames import pack
from gateway.audit.layout import database, slot_folder
from gateway.audit.merkle import leaf_hash
from gateway.audit.reader import ReadError
from gateway.audit.search.archive import LIMIT, Archive, Behind, Found, Note, Page
from gateway.audit.search.filters import Filters, Kind, cursor
from gateway.audit.search.index import FILE
from gateway.audit.search.rights import View
from tests.audit.entries import label_move
from tests.audit.generated import DAY, START, TENANTS, Traffic, access, change, entries, exchange_id, generate, write

ALL = View(None, "abcdefghij23", "operator")
ACME = View("acme", "abcdefghij23", "auditor")
EVERYTHING = Filters()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store of two workers' logs whose exchanges overlap, and the command line's."""
    generate(tmp_path, Traffic(100))
    generate(tmp_path, Traffic(60, slot="1", since=START + DAY // 3))
    cli = Traffic(0, slot="cli", closed=False)
    accesses = [access(Traffic(100), number) for number in range(8)]
    write(tmp_path, "cli", [*list(entries(cli))[:1], *accesses])
    return tmp_path


def found(page: Page) -> list[Found]:
    assert all(isinstance(each, Found) for each in page.data)
    return [each for each in page.data if isinstance(each, Found)]


def pages(archive: Archive, filters: Filters = EVERYTHING, view: View = ALL, *, limit: int) -> list[Found | Note]:
    data: list[Found | Note] = []
    page = archive.search(filters, view, limit=limit)
    while True:
        assert len(page.data) <= limit
        data += page.data
        if page.next is None:
            return data
        page = archive.search(filters, view, after=cursor(page.next), limit=limit)


def test_the_latest_come_first_from_all_logs(store: Path) -> None:
    page = Archive(store).search(EVERYTHING, ALL, limit=500)
    times = [each.at for each in found(page)]
    assert times == sorted(times, reverse=True)
    assert {each.log for each in found(page)} == {"0", "1"}
    assert (len(times), page.next, page.damaged) == (160, None, 0)
    assert len(Archive(store).search(EVERYTHING, ALL).data) == LIMIT


@pytest.mark.parametrize("limit", [1, 7, 159, 160, 161])
def test_pages_put_together_are_the_whole(store: Path, limit: int) -> None:
    archive = Archive(store)
    assert pages(archive, limit=limit) == archive.search(EVERYTHING, ALL, limit=500).data


def test_an_exchange_is_told_as_its_entries_tell_it(store: Path) -> None:
    (last,) = found(Archive(store).search(replace(EVERYTHING, until=START + 1), ALL))
    assert last == Found(
        id=exchange_id("0", 0),
        at="2026-10-01T00:00:00.000000Z",
        log="0",
        begin=2,
        end=20,
        tenant="acme",
        app="billing",
        key="abcdefghij23",
        role="app",
        operation="chat",
        route="chat",
        prompt=None,
        label=None,
        upstream="vllm-a",
        stream=True,
        outcome="complete",
        status=200,
        error=None,
        input_tokens=11,
        output_tokens=22,
        microseconds=DAY * 15 // 100,
        payload=False,
    )


def test_one_that_has_not_ended_and_one_that_was_abandoned_are_told_too(tmp_path: Path) -> None:
    log = list(entries(Traffic(2, attempts=False, closed=False)))
    folder = write(tmp_path, "0", log)
    page = found(Archive(tmp_path).search(replace(EVERYTHING, outcome="open"), ALL))
    assert [(each.end, each.outcome, each.status, each.microseconds, each.upstream) for each in page] == [
        (None, "open", None, None, "vllm-a")
    ] * 2
    given_up = Abandoned(at=START, mono=0, id=exchange_id("0", 1), begin=3, dispatch="assumed", reason="restart")
    write(tmp_path, folder.name, [given_up])
    (each,) = found(Archive(tmp_path).search(replace(EVERYTHING, outcome="abandoned"), ALL))
    assert (each.id, each.end, each.outcome, each.status) == (exchange_id("0", 1), 4, "abandoned", None)


@pytest.mark.parametrize("tenant", [*TENANTS, "nobody"])
@pytest.mark.parametrize("asked", [None, *TENANTS, "nobody"])
@pytest.mark.parametrize("kind", ["exchange", "access", "genesis", "config"])
def test_an_auditor_finds_nothing_of_another_tenant(store: Path, tenant: str, asked: str | None, kind: Kind) -> None:
    data = pages(Archive(store), Filters(kind, asked), View(tenant, "abcdefghij23", "auditor"), limit=13)
    tenants = {each.tenant if isinstance(each, Found) else each.fields.get("tenant") for each in data}
    assert tenants <= {tenant}
    expected = tenant in TENANTS and asked in {None, tenant} and kind in {"exchange", "access"}
    assert bool(data) == expected


@pytest.mark.parametrize("tenant", [*TENANTS, "nobody"])
def test_an_auditor_is_shown_nothing_of_another_tenant(store: Path, tenant: str) -> None:
    archive = Archive(store)
    view = View(tenant, "abcdefghij23", "auditor")
    for number in range(40):
        record = archive.record(exchange_id("0", number), view)
        assert (record is not None) == (TENANTS[number % 4] == tenant)
        if record is not None:
            assert record.found.tenant == tenant
            told = [msgspec.json.decode(stored.data) for _, stored in record.entries]
            assert {fields.get("tenant", tenant) for fields in told} == {tenant}


def test_who_sees_all_finds_each_tenants_own(store: Path) -> None:
    archive = Archive(store)
    for tenant in TENANTS:
        assert {each.tenant for each in found(archive.search(Filters(tenant=tenant), ALL, limit=500))} == {tenant}
    assert len(archive.search(Filters("access"), ALL).data) == 8
    assert {each.log for each in archive.search(Filters("genesis"), ALL).data} == {"0", "1", "cli"}


def test_a_record_has_all_entries_of_an_exchange_and_who_read_it(store: Path) -> None:
    record = Archive(store).record(exchange_id("0", 3), ALL)
    assert record is not None
    kinds = [(slot, msgspec.json.decode(stored.data)["kind"]) for slot, stored in record.entries]
    assert kinds == [("0", "begin"), ("0", "attempt"), ("0", "end"), ("cli", "access")]
    assert all(stored.intact for _, stored in record.entries)
    assert record.end is not None


@pytest.mark.parametrize("exchange", ["", "nothing", "' OR 1=1 --", exchange_id("0", 10**6), exchange_id("0", 3).upper()])
def test_an_id_that_is_not_there_has_no_record(store: Path, exchange: str) -> None:
    assert Archive(store).record(exchange, ALL) is None


def test_a_store_without_logs_is_empty(tmp_path: Path) -> None:
    (tmp_path / "log" / "0").mkdir(parents=True)
    assert Archive(tmp_path).search(EVERYTHING, ALL) == Page([], None, 0)
    assert Archive(tmp_path / "nowhere").search(EVERYTHING, ALL) == Page([], None, 0)


def test_an_index_that_lies_is_found_out_and_built_anew(store: Path) -> None:
    archive = Archive(store)
    before = archive.search(EVERYTHING, ALL, limit=500)
    assert archive.search(Filters(tenant="beta"), ALL, limit=500).data
    for statement in (
        "UPDATE exchanges SET tenant = 'acme'",
        "UPDATE exchanges SET outcome = 'failed'",
        "UPDATE exchanges SET begin = begin + 1000000",
        "UPDATE exchanges SET at = at + 1",
        "UPDATE exchanges SET last = 2",
        "UPDATE exchanges SET last = 0",
    ):
        lie(store, statement)
        assert archive.search(Filters(outcome="failed"), ACME, limit=500) == Archive(store).search(
            Filters(outcome="failed"), ACME, limit=500
        )
        assert {each.tenant for each in found(archive.search(EVERYTHING, ACME, limit=500))} == {"acme"}
        assert archive.search(EVERYTHING, ALL, limit=500) == before


@pytest.fixture
def prompted(tmp_path: Path) -> Path:
    """Return a store in which every second exchange used a prompt, and whose labels were moved at the command line."""
    names = {0: "support/triage@v7", 2: "support/triage@v8", 4: "support/summary@v1"}
    generate(tmp_path, Traffic(60, prompt=lambda number: names.get(number % 6, "")))
    moves = [
        label_move("v7", before="v6", seq=1),
        msgspec.structs.replace(label_move("v7", before="v7", seq=2), canary="v8", percent=10, sticky="tenant"),
        label_move("v8", before="v7", seq=3),
        msgspec.structs.replace(label_move("v1", seq=4), prompt="support/summary", before=UNSET),
    ]
    cli = Traffic(0, slot="cli", closed=False)
    write(tmp_path, "cli", [*list(entries(cli))[:1], *moves])
    return tmp_path


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (Filters(prompt="support/triage"), 20),
        (Filters(prompt="support/triage", version="v7"), 10),
        (Filters(prompt="support/triage", version="v8", tenant="acme"), 5),
        (Filters(prompt="support/triage", version="v9"), 0),
        (Filters(prompt="support/summary", outcome="cancelled"), 2),
        (Filters(prompt="support/nothing"), 0),
    ],
)
def test_exchanges_are_found_by_the_prompt_that_they_used(prompted: Path, filters: Filters, count: int) -> None:
    data = found(Archive(prompted).search(filters, ALL, limit=500))
    assert len(data) == count
    assert {each.prompt for each in data} <= {
        f"{filters.prompt}@{version}" for version in (["v1", "v7", "v8"] if filters.version is None else [filters.version])
    }
    assert {each.label for each in data} <= {"production"}


@pytest.mark.parametrize(
    ("filters", "moves"),
    [
        (Filters("label"), {1, 2, 3, 4}),
        (Filters("label", prompt="support/triage"), {1, 2, 3}),
        (Filters("label", prompt="support/triage", version="v8"), {2, 3}),
        (Filters("label", prompt="support/triage", version="v7"), {1}),
        (Filters("label", prompt="support/nothing"), set()),
        (Filters("access", prompt="support/triage"), set()),
    ],
)
def test_moves_of_labels_are_found_by_prompt_and_by_the_version_that_they_brought(
    prompted: Path, filters: Filters, moves: set[int]
) -> None:
    data = Archive(prompted).search(filters, ALL).data
    assert {each.fields["seq"] for each in data if isinstance(each, Note)} == moves
    assert len(data) == len(moves)


def test_moves_of_labels_belong_to_no_tenant(prompted: Path) -> None:
    assert Archive(prompted).search(Filters("label"), ACME).data == []


def test_an_index_that_lies_about_a_prompt_is_found_out(prompted: Path) -> None:
    archive = Archive(prompted)
    wanted = Filters(prompt="support/triage", version="v7")
    before = archive.search(wanted, ALL, limit=500)
    for statement in ("UPDATE exchanges SET version = 'v7'", "UPDATE exchanges SET prompt = 'support/triage', version = 'v7'"):
        lie(prompted, statement)
        assert archive.search(wanted, ALL, limit=500) == before
    lie(prompted, "UPDATE notes SET version = 'v8'", slot="cli")
    assert len(archive.search(Filters("label", prompt="support/triage", version="v8"), ALL).data) == 2


def test_an_index_that_lies_about_an_id_is_found_out(store: Path) -> None:
    archive = Archive(store)
    one, other = exchange_id("0", 1), exchange_id("0", 2)
    assert archive.record(one, ALL) is not None
    lie(store, "UPDATE exchanges SET id = 'x' WHERE id = ?", one)
    lie(store, "UPDATE exchanges SET id = ? WHERE id = ?", one, other)
    record = archive.record(one, ALL)
    assert record is not None
    assert record.found.id == one


def test_an_index_that_lies_about_another_kind_is_found_out(store: Path) -> None:
    archive = Archive(store)
    assert len(archive.search(Filters("access"), ACME).data) == 2
    lie(store, "UPDATE notes SET tenant = 'acme'", slot="cli")
    assert len(archive.search(Filters("access"), ACME).data) == 2


def lie(store: Path, statement: str, *values: str, slot: str = "0") -> None:
    connection = sqlite3.connect(slot_folder(store, slot) / FILE)
    with connection:
        assert connection.execute(statement, values).rowcount
    connection.close()


def test_an_entry_that_was_changed_since_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(100), batch=20)
    archive = Archive(tmp_path)
    assert archive.search(EVERYTHING, ALL, limit=500).damaged == 0
    change(folder, "UPDATE commits SET leaves = zeroblob(length(leaves)) WHERE first < 100")
    page = archive.search(EVERYTHING, ALL, limit=500)
    assert page.damaged > 40
    assert len(page.data) + page.damaged == 100
    with pytest.raises(ReadError, match="leaf hash"):
        archive.record(exchange_id("0", 3), ALL)
    limited = archive.search(EVERYTHING, ALL, limit=90)
    assert limited.next is not None
    assert len(limited.data) + limited.damaged == 90
    assert len(archive.search(EVERYTHING, ALL, after=cursor(limited.next)).data) == 0


def test_an_entry_of_a_later_version_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(1, attempts=False))
    later = msgspec.json.decode(encode(next(iter(entries(Traffic(0))))), type=dict[str, object])
    data = msgspec.json.encode(
        {**later, "kind": "begin", "id": exchange_id("0", 7), "tenant": "acme", "role": "king"}, order="sorted"
    )
    change(folder, "INSERT INTO commits VALUES (5, 1, NULL, ?, ?)", parameters=(leaf_hash(data), pack([data])))
    page = Archive(tmp_path).search(EVERYTHING, ALL)
    assert (len(page.data), page.damaged) == (1, 1)


def test_an_index_far_behind_takes_in_a_part_each_time(tmp_path: Path) -> None:
    generate(tmp_path, Traffic(12_000), batch=512)
    archive = Archive(tmp_path, patience=100)
    for _ in range(4):
        with pytest.raises(Behind):
            archive.search(EVERYTHING, ALL)
    assert len(archive.search(EVERYTHING, ALL, limit=500).data) == 500


def test_a_log_whose_index_never_fits_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(4, attempts=False, closed=False))
    # An end whose id is another exchange's: the writer never writes one.
    lying = encode(Abandoned(at=START, mono=0, id=exchange_id("0", 9), begin=2, dispatch="none", reason="restart"))
    change(folder, "INSERT INTO commits VALUES (6, 1, NULL, ?, ?)", parameters=(leaf_hash(lying), pack([lying])))
    with pytest.raises(ReadError, match="run 'gatehouse audit verify'") as caught:
        Archive(tmp_path).search(EVERYTHING, ALL)
    assert str(database(folder)) in str(caught.value)


def test_entries_of_other_kinds_have_their_fields(tmp_path: Path) -> None:
    gap = Gap(at=START + 5, mono=5, since=START, until=START + 5, exchanges=4, reason="SQLITE_FULL")
    write(tmp_path, "0", [*entries(Traffic(0)), gap])
    (note,) = Archive(tmp_path).search(Filters("gap"), ALL).data
    assert note == Note("2026-10-01T00:00:00.000005Z", "0", 3, "gap", msgspec.json.decode(encode(gap)))


def test_accesses_are_seen_by_their_tenant_only(store: Path) -> None:
    foreign = Access(at=START, mono=0, id=exchange_id("0", 0), tenant="beta", by="x", role="auditor", reason="wrong tenant")
    write(store, "cli", [foreign])
    record = Archive(store).record(exchange_id("0", 0), ACME)
    assert record is not None
    reasons = [msgspec.json.decode(stored.data).get("reason") for _, stored in record.entries]
    assert "ticket 4711" in reasons
    assert "wrong tenant" not in reasons
