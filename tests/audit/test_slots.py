from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.audit.layout import lock_file, logs_folder, slot_folder
from gateway.audit.slots import claim, claim_cli, claim_free
from gateway.errors import SettingsError

HOLD = """
import sys
from pathlib import Path
from gateway.audit.slots import claim
print(claim(Path(sys.argv[1])).name, flush=True)
sys.stdin.read()
"""


def test_a_process_takes_the_lowest_free_slot(tmp_path: Path) -> None:
    slots = [claim(tmp_path) for _ in range(3)]
    assert [slot.name for slot in slots] == ["0", "1", "2"]
    assert [slot.folder for slot in slots] == [slot_folder(tmp_path, str(number)) for number in range(3)]
    slots[1].release()
    slots[1].release()
    again = claim(tmp_path)
    assert again.name == "1"
    for slot in (slots[0], slots[2], again):
        slot.release()


def test_a_slot_belongs_to_the_process_until_it_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        other = claim(tmp_path)
        assert other.name == "1"
        process.kill()
        process.wait()
    freed = claim(tmp_path)
    assert freed.name == "0"
    for slot in (other, freed):
        slot.release()


def test_only_the_owner_can_look_into_a_slot(tmp_path: Path) -> None:
    store = tmp_path / "gateway" / "var"
    slot = claim(store)
    folders = [slot.folder, logs_folder(store), store, store.parent]
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700] * 4
    assert lock_file(slot.folder).stat().st_mode & 0o777 == 0o600
    slot.release()


def test_commands_write_one_after_the_other(tmp_path: Path) -> None:
    first = claim_cli(tmp_path)
    assert first.folder == slot_folder(tmp_path, "cli")
    with pytest.raises(SettingsError, match="Another gatehouse command"):
        claim_cli(tmp_path, patience=0.01)
    first.release()
    claim_cli(tmp_path, patience=0.01).release()


def test_a_folder_that_cannot_be_used_is_said_in_one_sentence(tmp_path: Path) -> None:
    logs_folder(tmp_path).write_text("a file where a folder should be")
    with pytest.raises(SettingsError, match=r"store\.path: .* cannot be written"):
        claim(tmp_path)


def test_a_lock_file_that_cannot_be_opened_is_said_in_one_sentence(tmp_path: Path) -> None:
    lock_file(slot_folder(tmp_path, "0")).mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot be written: Is a directory"):
        claim(tmp_path)


def test_slots_that_nobody_holds_can_be_claimed_one_after_the_other(tmp_path: Path) -> None:
    assert list(claim_free(tmp_path)) == []
    held = [claim(tmp_path) for _ in range(3)]
    claim_cli(tmp_path).release()
    held[0].release()
    held[2].release()
    free = list(claim_free(tmp_path))
    assert [slot.name for slot in free] == ["0", "2"]
    held += [*free, claim(tmp_path)]
    assert held[-1].name == "3"
    for slot in held:
        slot.release()
