from __future__ import annotations

from pathlib import Path

import pytest

from gateway.audit import layout

STORE = Path("/srv/var")


def test_everything_of_a_slot_lies_in_its_folder() -> None:
    folder = layout.slot_folder(STORE, "3")
    assert folder == STORE / "log" / "3"
    assert folder.parent == layout.logs_folder(STORE)
    assert [each.parent for each in (layout.database(folder), layout.lock_file(folder), layout.ballast_file(folder))] == [
        folder
    ] * 3
    assert str(layout.wal_file(folder)) == f"{layout.database(folder)}-wal"
    assert layout.node_file(STORE) == STORE / "node"


def test_a_log_is_named_after_site_node_and_slot() -> None:
    assert layout.origin("gatehouse", "a1b2c3d4", "0") == "gatehouse/a1b2c3d4-0"


@pytest.mark.parametrize("name", ["0", "7", "10", "cli"])
def test_slots_are_numbers_and_the_command_line(name: str) -> None:
    assert layout.is_slot(name)


@pytest.mark.parametrize("name", ["", "00", "01", "-1", "a", "1a", "²", "٣", "CLI", "0.old", "lock"])
def test_nothing_else_is_a_slot(name: str) -> None:
    assert not layout.is_slot(name)


def test_slots_are_found_in_their_order_and_nothing_else_is(tmp_path: Path) -> None:
    assert layout.slot_folders(tmp_path) == []
    for name in ("cli", "10", "9", "0", "0.old", "tmp"):
        layout.slot_folder(tmp_path, name).mkdir(parents=True)
    assert [each.name for each in layout.slot_folders(tmp_path)] == ["0", "9", "10", "cli"]
