from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.audit.entry import Abandoned, Access, Close, Config, Genesis
from gateway.audit.layout import ballast_file, database, node_file, slot_folder
from gateway.audit.log import AuditLog
from gateway.audit.opening import Writing, open_cli_audit, recover_free
from gateway.audit.queue import BATCH
from gateway.errors import SettingsError
from tests.audit.entries import access, begin, exchange_id, exchange_ids
from tests.audit.logs import WRITING, Bench, entries_in, kinds_in, rows


def crashed(bench: Bench, begun: int = 1) -> None:
    """Leave a log as a process does that died with exchanges open."""
    log = bench.open()

    async def story() -> None:
        *_, last = [log.append(begin(exchange)) for exchange, _ in zip(exchange_ids(), range(begun), strict=False)]
        await last
        log._writer.give("stop")
        assert await asyncio.to_thread(log._writer.join, 10)

    asyncio.run(story())
    log._slot.release()


@contextlib.contextmanager
def spoiling(folder: Path) -> Iterator[sqlite3.Connection]:
    other = sqlite3.connect(database(folder), isolation_level=None)
    other.execute("DROP TRIGGER never_changed")
    other.execute("DROP TRIGGER never_deleted")
    yield other
    other.close()


def closed(log: AuditLog) -> AuditLog:
    asyncio.run(log.close())
    return log


def test_a_log_begins_with_who_it_is_and_who_writes_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    log = closed(bench.open())
    genesis, config, goodbye = entries_in(bench.folder)
    assert isinstance(genesis, Genesis)
    assert genesis.origin == log.identity.origin == f"gatehouse/{node_file(tmp_path).read_text().strip()}-0"
    assert (genesis.site, genesis.slot, genesis.software) == ("gatehouse", "0", "gatehouse/0.1.0")
    assert isinstance(config, Config)
    assert (config.boot, config.config, config.reason, config.clean) == (log.identity.boot, "5a" * 32, "start", True)
    assert isinstance(goodbye, Close)


def test_a_node_without_a_name_has_no_log(tmp_path: Path) -> None:
    node_file(tmp_path).write_text("no name at all")
    for _ in range(2):
        with pytest.raises(SettingsError, match="node's name"):
            Bench(tmp_path).open()
    assert not slot_folder(tmp_path, "1").exists()


def test_each_process_has_a_slot_and_a_log_of_its_own(tmp_path: Path) -> None:
    logs = [Bench(tmp_path).open() for _ in range(3)]
    assert len({log.identity.origin for log in logs}) == len({log.identity.boot for log in logs}) == 3
    for log in logs:
        closed(log)
    assert all(kinds_in(slot_folder(tmp_path, str(number))) == ["genesis", "config", "close"] for number in range(3))


def test_what_a_crash_left_open_is_abandoned_before_anything_else_is_entered(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    crashed(bench, begun=2)
    log = bench.open()
    entries = entries_in(bench.folder)[4:]
    assert [type(each) for each in entries] == [Abandoned, Abandoned, Config]
    assert isinstance(entries[0], Abandoned)
    assert (entries[0].id, entries[0].begin, entries[0].dispatch, entries[0].reason) == (exchange_id(1), 2, "assumed", "restart")
    assert isinstance(entries[2], Config)
    assert not entries[2].clean
    closed(log)


def test_more_than_a_batch_may_be_left_open(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    crashed(bench, begun=2 * BATCH + 1)
    closed(bench.open())
    assert kinds_in(bench.folder)[2:] == ["begin"] * (2 * BATCH + 1) + ["abandoned"] * (2 * BATCH + 1) + ["config", "close"]
    assert max(len(entries) for _, entries, _ in rows(bench.folder)) == BATCH


def test_a_crash_while_recovering_leaves_work_for_the_next_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    crashed(bench)
    bench.faults.next_write = "SQLITE_IOERR_WRITE"
    with pytest.raises(SettingsError, match=r"The log in .* cannot be opened: SQLITE_IOERR_WRITE"):
        bench.open()
    assert bench.faults.opened == bench.faults.closed
    closed(bench.open())
    assert kinds_in(bench.folder)[2:] == ["begin", "abandoned", "config", "close"]


def test_a_log_that_cannot_be_opened_frees_its_slot(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.faults.cannot_open = True
    with pytest.raises(SettingsError, match="SQLITE_CANTOPEN"):
        bench.open()
    bench.faults.cannot_open = False
    assert closed(bench.open()).identity.slot == "0"


@pytest.mark.parametrize("change", ["site", "node"])
def test_a_log_does_not_go_on_under_another_name(tmp_path: Path, change: str) -> None:
    bench = Bench(tmp_path)
    closed(bench.open())
    if change == "node":
        node_file(tmp_path).write_text("another")
    other = replace(WRITING, site="elsewhere") if change == "site" else WRITING
    with pytest.raises(SettingsError, match=r"was begun as 'gatehouse/.*' and would go on as"):
        bench.open(other)
    assert bench.faults.opened == bench.faults.closed
    assert len(entries_in(bench.folder)) == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda piece: piece.replace(b"genesis", b"genesiS"), "first entry is damaged"),
        (lambda piece: piece[:-1], "entry 0 is damaged"),
    ],
    ids=["no entry", "cut"],
)
def test_a_log_whose_first_entry_is_damaged_is_not_gone_on_with(
    tmp_path: Path, wrong: Callable[[bytes], bytes], words: str
) -> None:
    bench = Bench(tmp_path)
    closed(bench.open())
    with spoiling(bench.folder) as other:
        (piece,) = other.execute("SELECT entries FROM commits WHERE first = 0").fetchone()
        other.execute("UPDATE commits SET entries = ? WHERE first = 0", (wrong(piece),))
    with pytest.raises(SettingsError, match=words):
        bench.open()


def test_another_kind_of_file_is_no_log(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.folder.mkdir(parents=True)
    database(bench.folder).write_bytes(b"not a database at all, but long enough to be taken for one" * 100)
    with pytest.raises(SettingsError, match="SQLITE_NOTADB"):
        bench.open()


def test_a_log_of_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    closed(bench.open())
    with spoiling(bench.folder) as other:
        (piece,) = other.execute("SELECT entries FROM commits WHERE first = 2").fetchone()
        other.execute("UPDATE commits SET entries = ?, count = 1, leaves = zeroblob(32) WHERE first = 0", (piece,))
        other.execute("DELETE FROM commits WHERE first > 0")
    with pytest.raises(SettingsError, match="'no log'"):
        bench.open()


def test_a_start_on_a_full_disk_takes_the_ballasts_space(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    crashed(bench)
    assert ballast_file(bench.folder).exists()
    bench.percent = 100
    log = bench.open()
    assert not ballast_file(bench.folder).exists()
    assert log.condition == "refusing"
    bench.percent = 10
    closed(log)


def test_the_command_line_writes_a_log_of_its_own_without_announcing_itself(tmp_path: Path) -> None:
    for number in range(2):
        log = open_cli_audit(tmp_path, Writing("gatehouse", "gatehouse/0.1.0"))

        async def story(log: AuditLog = log, number: int = number) -> None:
            assert (await log.append(access())).index == number + 1
            await log.close()

        asyncio.run(story())
    folder = slot_folder(tmp_path, "cli")
    assert [type(each) for each in entries_in(folder)] == [Genesis, Access, Access]
    assert not ballast_file(folder).exists()
    closed(open_cli_audit(tmp_path, Writing("gatehouse", "gatehouse/0.1.0")))
    assert len(entries_in(folder)) == 3


def test_what_was_left_open_in_slots_that_no_process_takes_any_more_is_abandoned_too(tmp_path: Path) -> None:
    first, second = Bench(tmp_path), Bench(tmp_path)
    running = first.open()
    crashed(second, begun=3)
    slot_folder(tmp_path, "7").mkdir()  # claimed once, and never written
    assert recover_free(tmp_path, WRITING) == 3
    folder = slot_folder(tmp_path, "1")
    assert kinds_in(folder) == ["genesis", "config", *["begin"] * 3, *["abandoned"] * 3]
    assert recover_free(tmp_path, WRITING) == 0
    assert len(entries_in(folder)) == 8
    assert not database(slot_folder(tmp_path, "7")).exists()
    closed(running)
    assert kinds_in(slot_folder(tmp_path, "0")) == ["genesis", "config", "close"]


def test_operators_are_told_what_a_start_had_to_abandon(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    crashed(bench, begun=2)
    closed(bench.open())
    assert bench.watch.told == [("recovered", 2)]
