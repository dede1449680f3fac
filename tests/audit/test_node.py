from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.audit.layout import node_file
from gateway.audit.node import load_node
from gateway.errors import SettingsError


def test_a_node_s_name_is_made_once_and_kept(tmp_path: Path) -> None:
    store = tmp_path / "gateway" / "var"
    name = load_node(store)
    assert re.fullmatch(r"[0-9a-f]{8}", name)
    assert load_node(store) == name
    assert load_node(tmp_path / "other") != name
    assert node_file(store).stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in (store, store.parent)] == [0o700, 0o700]


def test_of_several_processes_all_get_the_same_name(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load_node, [tmp_path] * 32))) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["node"]


def test_an_operator_may_give_it_a_name(tmp_path: Path) -> None:
    node_file(tmp_path).write_text("eu-west-1.a\n")
    assert load_node(tmp_path) == "eu-west-1.a"


@pytest.mark.parametrize("text", ["", "\n", "two words", "a+b", "a/b", "é", "x" * 65, ".hidden"])
def test_what_cannot_stand_in_the_name_of_a_log_is_refused(tmp_path: Path, text: str) -> None:
    node_file(tmp_path).write_text(text)
    with pytest.raises(SettingsError, match="does not hold a node's name"):
        load_node(tmp_path)


def test_a_file_that_cannot_be_read_is_said_in_one_sentence(tmp_path: Path) -> None:
    node_file(tmp_path).mkdir()
    with pytest.raises(SettingsError, match="cannot be used"):
        load_node(tmp_path)
