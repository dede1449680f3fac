"""A store is verified offline: by no code that wrote it, without a trace, also while a gateway writes, whatever was damaged."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.layout import database, lock_file, slot_folder
from gateway.audit.log import AuditLog
from gateway.audit.merkle import leaf_hash
from gateway.audit.reader import Reader
from gateway.audit.slots import claim
from gateway.audit.vault.keyring import open_keyring
from gateway.audit.vault.payloads import Payloads
from gateway.audit.vault.vault import Vault
from gateway.audit.verify.logs import verify
from gateway.audit.verify.problem import Report
from gateway.errors import SettingsError
from tests.audit.generated import DAY, START, Traffic, change, entries, generate, write
from tests.audit.recorded import Said, begin, enter, kill, open_log, record
from tests.audit.vault.kit import flipped

NOW = (START + 2 * DAY) / 1e6
SMALL = Traffic(12, attempts=False)


def look(path: Path) -> list[tuple[str, str]]:
    report = verify(path, now=NOW)
    return [(problem.kind, problem.where) for problem in report.problems]


def contents(folder: Path) -> object:
    """Return all that a log's rows hold, whatever a page around them says; None where that cannot be read."""
    try:
        with closing(sqlite3.connect(f"file:{database(folder)}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT first, count, open, leaves, entries FROM commits ORDER BY first").fetchall()
    except sqlite3.Error:
        return None


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_store_a_log_of_it_and_a_copy_are_verified(tmp_path: Path) -> None:
    generate(tmp_path, SMALL)
    generate(tmp_path, Traffic(5, slot="1"))
    report = verify(tmp_path, now=NOW)
    assert (report.ok, report.exchanges) == (True, 17)
    assert report.entries == sum(1 for traffic in (SMALL, Traffic(5, slot="1")) for _ in entries(traffic))
    assert verify(slot_folder(tmp_path, "1"), now=NOW).exchanges == 5
    assert look(shutil.copytree(slot_folder(tmp_path, "1"), tmp_path / "evidence")) == []


def test_it_leaves_no_trace(tmp_path: Path) -> None:
    record(tmp_path, [Said(), Said("beta")])
    before = files(tmp_path)
    assert verify(tmp_path, now=time.time()).ok
    assert files(tmp_path) == before


def test_where_there_is_no_log_it_says_so(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SettingsError, match="There is no log in"):
            verify(path, now=NOW)


def test_nothing_of_the_writer_is_loaded() -> None:
    """The writer's faults are not the verifier's; what both use is pure."""
    script = "import sys, gateway.audit.verify.logs; print(*(name for name in sys.modules if name.startswith('gateway.audit')))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    allowed = {"canonical", "entry", "frames", "layout", "merkle", "reader", "vault", "vault.frame", "vault.layout", "verify"}
    assert {name.removeprefix("gateway.audit.") for name in loaded if ".verify." not in name} == allowed | {"gateway.audit"}


def test_1000_flipped_bits_of_entries_and_leaf_hashes_are_each_found_with_their_place(tmp_path: Path) -> None:
    folder = generate(tmp_path, SMALL, batch=4)
    with closing(Reader(folder)) as reader:
        rows = {row.first: row for row in reader.rows(0)}
    chance = random.Random(11)  # noqa: S311  # which bits to flip
    change(folder)
    for _ in range(1000):
        row = rows[chance.choice(list(rows))]
        column = chance.choice(("entries", "entries", "entries", "leaves"))
        data = getattr(row, column)
        bit = chance.randrange(8 * len(data))
        put(folder, column, row.first, flipped(data, bit))
        found = look(tmp_path)
        put(folder, column, row.first, data)
        expected = place(row.first, [len(each.data) for each in row.cut()], column, bit // 8)
        assert len(found) == 1, (row.first, column, bit, found)
        assert found[0][1] == expected, (row.first, column, bit, found)
    assert look(tmp_path) == []


def place(first: int, lengths: list[int], column: str, at: int) -> str:
    """Return where a flipped byte of a row is: in an entry, or in what cuts the row into entries."""
    where = f"log/0/log.sqlite3: row {first}"
    if column == "leaves":
        return f"{where}, entry {first + at // 32}"
    for number, length in enumerate(lengths):
        if at < 2:
            return where
        if at < 2 + length:
            return f"{where}, entry {first + number}"
        at -= 2 + length
    raise AssertionError(at)


def put(folder: Path, column: str, first: int, data: bytes) -> None:
    with closing(sqlite3.connect(database(folder), isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"UPDATE commits SET {column} = ? WHERE first = ?", (data, first))  # noqa: S608  # ours


def test_1000_flipped_bits_of_the_file_are_found_or_change_nothing_that_the_log_holds(tmp_path: Path) -> None:
    folder = generate(tmp_path, SMALL, batch=4)
    path = database(folder)
    data, held = path.read_bytes(), contents(folder)
    assert held
    chance = random.Random(13)  # noqa: S311  # which bits to flip
    found = 0
    for _ in range(1000):
        bit = chance.randrange(8 * len(data))
        path.write_bytes(flipped(data, bit))
        problems = look(tmp_path)
        found += bool(problems)
        assert problems or contents(folder) == held, f"bit {bit} changed the log unseen"
        assert all(where.startswith("log/0") for _, where in problems)
    assert found > 400  # the rest lies in space that pages do not use


def test_control_without_leaf_hashes_flipped_bits_stay_unseen(tmp_path: Path) -> None:
    """Were the leaf hashes made of what stands there now, most flips would pass for entries."""
    folder = generate(tmp_path, SMALL, batch=4)
    change(folder, "UPDATE commits SET entries = replace(entries, CAST('\"acme\"' AS BLOB), CAST('\"acmf\"' AS BLOB))")
    assert any(kind == "leaf" for kind, _ in look(tmp_path))
    with closing(Reader(folder)) as reader:
        rows = reader.rows(0)
    for row in rows:
        put(folder, "leaves", row.first, b"".join(leaf_hash(each.data) for each in row.cut()))
    assert look(tmp_path) == []


def test_200_flipped_bits_of_a_crashed_log_s_wal_file_are_found_or_lie_in_its_last_frame(tmp_path: Path) -> None:
    folder = tmp_path / "crashed" / "log" / "0"
    generate(tmp_path / "origin", SMALL, batch=4, copy=folder)
    wal = folder / "log.sqlite3-wal"
    data = wal.read_bytes()
    assert look(tmp_path / "crashed") == []
    chance = random.Random(17)  # noqa: S311  # which bits to flip
    for _ in range(200):
        bit = chance.randrange(8 * (len(data) - 24 - 4096))
        wal.write_bytes(flipped(data, bit))
        assert ("wal", "log/0/log.sqlite3-wal") in look(tmp_path / "crashed"), bit


def test_a_log_whose_process_was_killed_is_clean_once_the_gateway_has_started(tmp_path: Path) -> None:
    async def begin_and_die(log: AuditLog) -> None:
        await log.append(begin(log, Said()))
        await kill(log)

    with closing(Payloads(tmp_path, "0")) as payloads:
        asyncio.run(begin_and_die(open_log(tmp_path, payloads)))
    (problem,) = verify(tmp_path, now=time.time()).problems
    assert problem.kind == "exchange"
    assert "start the gateway, which abandons it" in problem.detail
    record(tmp_path, [Said()])
    report = verify(tmp_path, now=time.time())
    assert (report.problems, report.exchanges) == ([], 2)


def test_a_gateway_may_write_meanwhile(tmp_path: Path) -> None:
    said = [Said("acme" if number % 3 else "beta", payloads="none" if number % 5 == 0 else "full") for number in range(300)]
    reports: list[Report] = []
    written = threading.Event()

    def look_on() -> None:
        while not written.is_set():
            reports.append(verify(tmp_path, now=time.time()))

    async def live(log: AuditLog, vault: Vault) -> None:
        for _ in range(5):
            await asyncio.gather(*(enter(log, vault, each) for each in said))
        await log.close()

    with closing(Vault(open_keyring(tmp_path))) as vault, closing(Payloads(tmp_path, "0")) as payloads:
        log = open_log(tmp_path, payloads)
        onlooker = threading.Thread(target=look_on)
        onlooker.start()
        asyncio.run(live(log, vault))
        written.set()
        onlooker.join()
    assert [report.problems for report in reports] == [[]] * len(reports)
    assert len(reports) > 1
    assert verify(tmp_path, now=time.time()).exchanges == 1500


def test_a_log_that_is_missing_is_told(tmp_path: Path) -> None:
    for slot in ("0", "1", "2"):
        generate(tmp_path, Traffic(1, slot=slot))
    shutil.rmtree(slot_folder(tmp_path, "1"))
    assert look(tmp_path) == [("missing", "log/1")]
    (tmp_path / "payloads" / "4").mkdir(parents=True)
    assert look(tmp_path) == [("missing", "log/1"), ("missing", "log/4")]


def test_a_log_without_its_database_is_told_unless_a_process_is_about_to_make_it(tmp_path: Path) -> None:
    folder = generate(tmp_path, SMALL)
    database(folder).unlink()
    assert look(tmp_path) == [("missing", "log/0")]
    lock_file(folder).touch()
    assert look(folder) == [("missing", "0")]
    slot = claim(tmp_path)
    assert look(tmp_path) == []
    slot.release()


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    folder = generate(tmp_path, SMALL)
    database(folder).write_bytes(b"no database" * 1000)
    assert look(tmp_path) == [("database", "log/0/log.sqlite3")]
    (folder / "log.sqlite3-wal").mkdir()
    assert ("wal", "log/0/log.sqlite3-wal") in look(tmp_path)


def test_exchanges_that_are_open_are_no_problem_while_their_process_lives(tmp_path: Path) -> None:
    write(tmp_path, "0", entries(Traffic(3, closed=False)))
    slot = claim(tmp_path)
    assert look(tmp_path) == []
    slot.release()
    assert [kind for kind, _ in look(tmp_path)] == ["exchange"] * 3
