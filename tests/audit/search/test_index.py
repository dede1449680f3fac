"""The search index: it follows the log, can be lost, and is never the reason that something is not found."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.audit.frames import pack
from gateway.audit.layout import slot_folder
from gateway.audit.merkle import leaf_hash
from gateway.audit.reader import ROWS, Reader, ReadError
from gateway.audit.search.filters import Filters, Place
from gateway.audit.search.index import FILE, LOCK, PORTION, Hit, Index, Stale
from tests.audit.generated import DAY, START, Traffic, access, change, entries, exchange_id, generate, more, write

TRAFFIC = Traffic(200)
ALL = Filters()


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Index, Reader]]:
    with closing(Reader(folder)) as reader, closing(Index(folder, reader, slot=folder.name)) as index:
        yield index, reader


def begins(index: Index, filters: Filters = ALL, *, before: Place | None = None, limit: int = 1000) -> list[int]:
    return [hit.place.entry for hit in index.exchanges(filters, before=before, limit=limit)]


def spoil(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / FILE)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def go_on(store: Path, traffic: Traffic) -> None:
    """Add more exchanges to a log."""
    with closing(Reader(slot_folder(store, traffic.slot))) as reader:
        last = reader.rows(reader.last() or 0)[0]
    write(store, traffic.slot, more(replace(traffic, number=10**6), first=last.first + last.count))


def test_every_exchange_is_found_with_its_last_entry_latest_first(tmp_path: Path) -> None:
    with opened(generate(tmp_path, TRAFFIC)) as (index, reader):
        assert index.catch_up()
        hits = index.exchanges(Filters(), before=None, limit=1000)
        assert len(hits) == 200
        assert [hit.place for hit in hits] == sorted((hit.place for hit in hits), reverse=True)
        lasts = [reader.entry(hit.last) for hit in hits if hit.last is not None]
        assert [stored is not None and b'"kind":"end"' in stored.data for stored in lasts] == [True] * 200


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (Filters(tenant="acme"), 50),
        (Filters(tenant="acme", app="billing"), 50),
        (Filters(tenant="acme", app="support"), 0),
        (Filters(route="embed"), 66),
        (Filters(outcome="failed"), 20),
        (Filters(outcome="open"), 0),
        (Filters(tenant="beta", route="chat", outcome="failed"), 3),
        (Filters(since=START + DAY // 2), 100),
        (Filters(until=START + DAY // 2), 100),
        (Filters(since=START + DAY // 4, until=START + DAY // 2), 50),
        (Filters(tenant="nobody"), 0),
        (Filters(prompt="a/b"), 100),
        (Filters(prompt="a/b", version="v2"), 40),
        (Filters(prompt="a/b", version="v2", tenant="acme"), 20),
        (Filters(prompt="a/c"), 0),
    ],
)
def test_filters_narrow_what_is_found(tmp_path: Path, filters: Filters, count: int) -> None:
    traffic = replace(TRAFFIC, prompt=lambda number: "" if number % 2 else f"a/b@v{2 if number % 5 < 2 else 1}")
    with opened(generate(tmp_path, traffic)) as (index, _):
        index.catch_up()
        assert len(begins(index, filters)) == count


def test_a_page_goes_on_where_the_last_one_ended_also_among_equal_times(tmp_path: Path) -> None:
    with opened(generate(tmp_path, replace(TRAFFIC, length=10))) as (index, _):
        index.catch_up()
        whole = index.exchanges(Filters(), before=None, limit=1000)
        assert len({hit.place.at for hit in whole}) < 20
        paged: list[Hit] = []
        while page := index.exchanges(Filters(), before=paged[-1].place if paged else None, limit=7):
            paged += page
        assert paged == whole


def test_places_of_other_logs_are_compared_by_time_then_slot(tmp_path: Path) -> None:
    with opened(generate(tmp_path, replace(TRAFFIC, slot="1"))) as (index, _):
        index.catch_up()
        at = index.exchanges(Filters(), before=None, limit=101)[100].place.at
        assert len(begins(index, before=Place(at, "0", 10**9))) == 99
        assert len(begins(index, before=Place(at, "2", 0))) == 100
        assert len(begins(index, before=Place(at, "cli", 0))) == 100


def test_catching_up_reads_only_what_is_new(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(10_000, closed=False), batch=64)
    with opened(folder) as (index, reader):
        assert index.catch_up()
        whole = sum(1 for _ in entries(Traffic(10_000, closed=False)))
        again = whole // PORTION + 1  # after each portion the last row, to see that it is the same log
        assert reader.rows_read == -(-whole // 64) + again
    with opened(folder) as (index, reader):
        assert index.catch_up()
        assert reader.rows_read == 1
        assert len(begins(index, limit=20_000)) == 10_000
    go_on(tmp_path, Traffic(10))
    with opened(folder) as (index, reader):
        assert index.catch_up()
        assert reader.rows_read == 3
        assert len(begins(index, limit=20_000)) == 10_010


def test_an_exchange_ends_in_the_index_when_it_ends_in_the_log(tmp_path: Path) -> None:
    log = list(entries(Traffic(4, attempts=False)))
    folder = write(tmp_path, "0", log[:6])
    with opened(folder) as (index, _):
        index.catch_up()
        assert len(begins(index, Filters(outcome="open"))) == 4
        write(tmp_path, "0", log[6:])
        index.catch_up()
        assert len(begins(index, Filters(outcome="open"))) == 0
        assert len(begins(index, Filters(outcome="complete"))) == 4


def test_it_takes_in_no_more_than_it_is_asked_to_and_goes_on_the_next_time(tmp_path: Path) -> None:
    with opened(generate(tmp_path, Traffic(12_000), batch=512)) as (index, reader):
        assert not index.catch_up(most=100)
        assert PORTION // 512 <= reader.rows_read <= PORTION // 512 + ROWS
        rounds = 1
        while not index.catch_up(most=100):
            rounds += 1
        assert rounds == 4
        assert len(begins(index, limit=20_000)) == 12_000


def test_entries_beside_exchanges_are_found_by_kind_tenant_and_exchange(tmp_path: Path) -> None:
    traffic = replace(TRAFFIC, exchanges=20)
    folder = write(tmp_path, "0", [*entries(traffic), *(access(traffic, number) for number in range(8))])
    with opened(folder) as (index, _):
        index.catch_up()
        assert len(index.notes(Filters(kind="access"), before=None, limit=100)) == 8
        assert len(index.notes(Filters(kind="access", tenant="acme"), before=None, limit=100)) == 2
        assert [hit.place.entry for hit in index.notes(Filters(kind="genesis"), before=None, limit=100)] == [0]
        assert len(index.about(exchange_id("0", 3))) == 2  # an attempt and an access
        assert [hit.place.entry for hit in index.exchange(exchange_id("0", 0))] == [2]
        assert index.exchange("nothing") == []


def test_a_search_reads_no_more_of_the_index_than_it_shows(tmp_path: Path) -> None:
    with opened(generate(tmp_path, Traffic(10_000))) as (index, _):
        index.catch_up()
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        index._connection.set_progress_handler(count, 10)
        day = Filters(tenant="acme", since=START + DAY // 2, until=START + DAY // 2 + DAY // 24)
        assert len(begins(index, day, limit=50)) == 50
        assert steps < 200  # of ten steps of SQLite's machine each; reading all would take 10,000


def test_a_search_by_prompt_looks_at_no_exchange_of_another_prompt(tmp_path: Path) -> None:
    traffic = Traffic(10_000, prompt=lambda number: "a/rare@v1" if number % 1000 == 8 else "a/common@v1" if number % 2 else "")
    with opened(generate(tmp_path, traffic)) as (index, _):
        index.catch_up()
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        index._connection.set_progress_handler(count, 10)
        assert len(begins(index, Filters(prompt="a/rare"))) == 10
        assert len(begins(index, Filters(prompt="a/rare", tenant="acme"))) == 10
        assert begins(index, Filters(prompt="a/rare", version="v2")) == []
        assert begins(index, Filters(prompt="a/rare", tenant="beta")) == []
        assert steps < 200  # of ten steps of SQLite's machine each; reading all would take 10,000 each time


def test_what_a_search_found_is_in_few_rows_of_the_log(tmp_path: Path) -> None:
    with opened(generate(tmp_path, Traffic(10_000), batch=64)) as (index, reader):
        index.catch_up()
        before = reader.rows_read
        for hit in index.exchanges(Filters(), before=None, limit=50):
            assert reader.entry(hit.place.entry) is not None
            assert hit.last is not None
            assert reader.entry(hit.last) is not None
        assert reader.rows_read - before <= 4  # of 328


@pytest.mark.parametrize("spoilt", [b"", b"no database" * 1000])
def test_an_index_that_is_no_database_is_built_anew(tmp_path: Path, spoilt: bytes) -> None:
    folder = generate(tmp_path, TRAFFIC)
    with opened(folder) as (index, _):
        index.catch_up()
    (folder / FILE).write_bytes(spoilt)
    with opened(folder) as (index, _):
        index.catch_up()
        assert len(begins(index)) == 200


def test_an_index_of_another_form_is_built_anew(tmp_path: Path) -> None:
    folder = generate(tmp_path, TRAFFIC)
    with opened(folder) as (index, _):
        index.catch_up()
    spoil(folder, "PRAGMA user_version = 99", "DELETE FROM exchanges")
    with opened(folder) as (index, _):
        index.catch_up()
        assert len(begins(index)) == 200


@pytest.mark.parametrize(
    "statement",
    ["UPDATE position SET next = 3", "UPDATE position SET leaf = x'00'", "DROP TABLE position", "DROP TABLE notes"],
)
def test_an_index_that_does_not_fit_the_log_is_stale_and_can_be_built_anew(tmp_path: Path, statement: str) -> None:
    folder = generate(tmp_path, TRAFFIC)
    with opened(folder) as (index, _):
        index.catch_up()
    spoil(folder, statement)
    go_on(tmp_path, Traffic(10))
    with opened(folder) as (index, _):
        with pytest.raises(Stale):
            index.catch_up()
        index.rebuild()
        assert index.catch_up()
        assert len(begins(index)) == 210


def test_a_damaged_page_makes_it_stale(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(2000))
    with opened(folder) as (index, _):
        index.catch_up()
    with (folder / FILE).open("r+b") as file:
        size = file.seek(0, 2)
        for page in range(2, size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 100)
    with opened(folder) as (index, _):
        with pytest.raises(Stale):
            begins(index)
        index.rebuild()
        index.catch_up()
        assert len(begins(index, limit=5000)) == 2000


def test_another_log_in_its_place_makes_it_stale(tmp_path: Path) -> None:
    folder = generate(tmp_path / "one", TRAFFIC)
    with opened(folder) as (index, _):
        index.catch_up()
    for other in (Traffic(100), replace(TRAFFIC, since=START + 7)):
        place = generate(tmp_path / f"{other.exchanges}-{other.since}", other)
        (folder / FILE).rename(place / FILE)
        with opened(place) as (index, _):
            with pytest.raises(Stale):
                index.catch_up()
            index.rebuild()
            index.catch_up()
            assert len(begins(index)) == other.exchanges
        folder = place


@pytest.mark.parametrize(
    ("statement", "damaged", "found"),
    [
        # A row of 64 entries is lost; then the rows after it follow it again.
        ("UPDATE commits SET entries = x'00' WHERE first = 64", 1, 200 - 30),
        ("DELETE FROM commits WHERE first = 64", 1, 200 - 30),
        ("UPDATE commits SET count = 1 << 40 WHERE first = 64", 1, 200 - 30),
        ("UPDATE commits SET leaves = x'00' || substr(leaves, 2) WHERE first = 64", 1, 200),
    ],
)
def test_what_is_damaged_in_the_log_is_left_out_and_counted(tmp_path: Path, statement: str, damaged: int, found: int) -> None:
    folder = generate(tmp_path, TRAFFIC, batch=64)
    change(folder, statement)
    with opened(folder) as (index, _):
        assert index.catch_up()
        assert index.damaged() >= damaged
        assert abs(len(begins(index)) - found) <= 2
        assert index.catch_up()


def test_a_damaged_last_row_is_not_taken_for_another_log(tmp_path: Path) -> None:
    folder = generate(tmp_path, TRAFFIC, batch=64)
    change(folder, "UPDATE commits SET entries = x'00' WHERE first = (SELECT max(first) FROM commits)")
    for _ in range(2):
        with opened(folder) as (index, _reader):
            assert index.catch_up()
            assert index.damaged() == 1


def test_an_entry_of_no_known_form_is_counted_as_damaged(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(1))
    for data in (b'{"kind":7}', b'{"at":-1,"kind":"end"}', b"{", b'{"at":1.5,"kind":"gap"}'):
        rewrite(folder, data)
        with opened(folder) as (index, _):
            index.rebuild()
            index.catch_up()
            assert index.damaged() == 1


def test_a_begin_without_id_is_no_exchange(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(1))
    rewrite(folder, b'{"at":1,"kind":"begin"}')
    with opened(folder) as (index, _):
        index.catch_up()
        assert begins(index) == []


def rewrite(folder: Path, data: bytes) -> None:
    """Put one entry in place of a log."""
    change(folder, "DELETE FROM commits")
    change(folder, "INSERT INTO commits VALUES (0, 1, NULL, ?, ?)", parameters=(leaf_hash(data), pack([data])))


def test_several_processes_may_bring_it_up_to_date_at_once(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(5000), batch=128)
    counts: list[int] = []

    def follow() -> None:
        with opened(folder) as (index, _):
            index.catch_up()
            counts.append(len(begins(index, limit=10_000)))

    threads = [threading.Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [5000] * 4


def test_it_is_deleted_only_when_nobody_else_reads_it(tmp_path: Path) -> None:
    folder = generate(tmp_path, TRAFFIC)
    with opened(folder) as (reading, _):
        reading.catch_up()
        rebuilt = threading.Event()

        def rebuild() -> None:
            with opened(folder) as (index, _):
                index.rebuild()
                rebuilt.set()

        thread = threading.Thread(target=rebuild)
        thread.start()
        assert not rebuilt.wait(0.2)
        assert len(begins(reading)) == 200
    thread.join()
    assert rebuilt.is_set()


def test_a_folder_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    folder = generate(tmp_path, TRAFFIC)
    (folder / FILE).mkdir()
    with pytest.raises(ReadError, match=str(folder / FILE)), opened(folder):
        pass
    (folder / FILE).rmdir()
    (folder / LOCK).unlink()
    (folder / LOCK).mkdir()
    with pytest.raises(ReadError, match=LOCK), opened(folder):
        pass


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = generate(tmp_path, TRAFFIC)
    with opened(folder) as (index, _):
        index.catch_up()
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.glob("search*")}
    assert set(modes) >= {FILE, LOCK}
    assert set(modes.values()) == {0o600}
