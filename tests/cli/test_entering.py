"""What a command does is in the command line's own log, on the disk, when `enter` returns; else it raises."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from gateway.audit.canonical import decode
from gateway.audit.entry import Access, Entry, LabelMove
from gateway.audit.layout import slot_folder
from gateway.audit.place import Seams
from gateway.audit.reader import Reader
from gateway.audit.search.archive import Archive
from gateway.audit.search.filters import Filters
from gateway.audit.search.rights import View
from gateway.audit.verify.logs import verify
from gateway.cli.entering import Entering, entering, operator
from gateway.errors import SettingsError, Unavailable
from gateway.settings.tree import Settings, Store
from tests.audit.entries import AT, access
from tests.audit.faulty import Faults
from tests.audit.test_prompts import Moved

LATER = AT / 1e6 + 10**9


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=Store(path=tmp_path))


def entered(settings: Settings) -> list[Entry]:
    """Return the entries that are on the disk, but the first, which tells which log it is."""
    reader = Reader(slot_folder(settings.store.path, "cli"))
    try:
        return [decode(stored.data) for row in reader.rows(0, most=100) for stored in row.cut()][1:]
    finally:
        reader.close()


def failing(faults: Faults) -> Seams:
    return Seams(connect=faults.connect, ballast=0)


def enter(log: Entering, reason: str) -> None:
    log.enter(lambda _moment: access(reason))


def test_what_is_entered_is_on_the_disk_at_once(settings: Settings) -> None:
    with entering(settings) as log:
        for number in range(3):
            enter(log, str(number))
            assert [each.reason for each in entered(settings) if isinstance(each, Access)] == [str(n) for n in range(number + 1)]
    assert len(entered(settings)) == 3
    assert verify(settings.store.path, now=LATER).ok


def test_an_entry_bears_the_time_at_which_it_is_made(settings: Settings) -> None:
    with entering(settings) as log:
        log.enter(lambda moment: msgspec.structs.replace(access(), at=moment.at, mono=moment.mono))
        log.move(Moved())
    first, second = entered(settings)
    assert first.at <= second.at <= time.time_ns() // 1000
    assert first.mono <= second.mono


def test_moves_of_labels_and_their_withdrawals_are_entered(settings: Settings) -> None:
    with entering(settings) as log:
        log.move(Moved())
        log.move(Moved(), withdrawn=True)
    moves = [each for each in entered(settings) if isinstance(each, LabelMove)]
    assert [(each.version, each.before, each.withdrawn) for each in moves] == [("v7", "v6", False), ("v7", "v6", True)]
    found = Archive(settings.store.path).search(Filters("label", prompt="support/triage"), View(None, "", "operator")).data
    assert len(found) == 2
    assert verify(settings.store.path, now=LATER).ok


def test_the_log_goes_on_with_the_next_command(settings: Settings) -> None:
    for number in range(2):
        with entering(settings) as log:
            enter(log, str(number))
    assert [each.reason for each in entered(settings) if isinstance(each, Access)] == ["0", "1"]


def test_commands_wait_for_each_other(settings: Settings) -> None:
    first, done = threading.Event(), threading.Event()

    def second() -> None:
        first.wait(10)
        with entering(settings) as log:
            enter(log, "second")
        done.set()

    thread = threading.Thread(target=second)
    thread.start()
    with entering(settings) as log:
        first.set()
        assert not done.wait(0.2)
        enter(log, "first")
    thread.join()
    assert [each.reason for each in entered(settings) if isinstance(each, Access)] == ["first", "second"]


def test_what_cannot_be_made_durable_raises(settings: Settings) -> None:
    faults = Faults()
    with entering(settings, seams=failing(faults)) as log:
        enter(log, "first")
        faults.next_write = "SQLITE_FULL"
        with pytest.raises(Unavailable) as caught:
            enter(log, "second")
        assert caught.value.code == "audit_unavailable"
        with pytest.raises(Unavailable):
            enter(log, "third")  # while it has not been opened anew
    assert [each.reason for each in entered(settings) if isinstance(each, Access)] == ["first"]


def test_what_goes_wrong_in_a_command_still_closes_the_log(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), entering(settings) as log:
        log.enter(lambda _moment: access(str(1 / 0)))
    with entering(settings) as log:
        enter(log, "next")
    assert len(entered(settings)) == 1


def test_a_log_that_cannot_be_opened_is_an_error_before_anything_is_done(settings: Settings) -> None:
    slot_folder(settings.store.path, "cli").parent.mkdir()
    slot_folder(settings.store.path, "cli").write_text("in the way")
    with pytest.raises(SettingsError, match="cannot be written"), entering(settings):
        pytest.fail("it was opened")


def test_who_runs_a_command_is_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    assert operator() == f"os:{pwd.getpwuid(os.getuid()).pw_name}"


def test_a_user_without_a_name_is_told_by_its_number() -> None:
    assert operator(1_954_321) == "os:1954321"


def test_the_writer_is_loaded_only_by_commands_that_enter_something() -> None:
    program = "import sys, gateway.cli.entering; raise SystemExit('gateway.audit.log' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
